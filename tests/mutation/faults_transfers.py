"""Faults in what moves: bursts, the DMA engine, the dealer of tiles."""

from tests.mutation.fault import Fault

TRANSFERS = (
    Fault(
        "the next burst begins where this one did",
        "Bursts",
        "from_address + limit",
        "from_address",
        ("dma",),
    ),
    Fault(
        "the rest of a transfer is a beat short",
        "Bursts",
        "from_beats - limit",
        "from_beats - limit - 1",
        ("dma",),
    ),
    Fault(
        "data waits for its address",
        "Dma",
        "~filled",
        "addressed & ~filled",
        ("dma",),
    ),
    Fault(
        "an address waits for its data",
        "Dma",
        "~addressed",
        "filled & ~addressed",
        ("dma",),
    ),
    Fault(
        "the next burst's data comes before its address",
        "Dma",
        "now_addressed & now_filled",
        "now_filled",
        ("dma",),
    ),
    Fault(
        "a transfer starts while it is held",
        "Dma",
        "queue.r_rdy & ~self.hold",
        "queue.r_rdy",
        ("dma", "control", "top"),
    ),
    Fault(
        "transfers are taken after an error",
        "Dma",
        "queue.w_rdy & (status == Status.OK)",
        "queue.w_rdy",
        ("dma", "top"),
    ),
    Fault(
        "busy for ever after an error",
        "Dma",
        "queue.r_rdy & ((status == Status.OK) | self.active)",
        "queue.r_rdy",
        ("dma", "top"),
    ),
    Fault(
        "a later error's command is told",
        "Dma",
        "m.If(status == Status.OK)",
        "m.If(1)",
        ("dma", "top"),
    ),
    Fault(
        "a tile that brings too little is right",
        "Dma",
        "tile.error | ~tile.complete",
        "tile.error",
        ("dma", "tile_dealer"),
    ),
    Fault(
        "a beat with an error is stored",
        "Dma",
        "turn.received & ~turn.bad",
        "turn.received",
        ("dma",),
    ),
    Fault(
        "a transfer starts after an error",
        "Dma",
        "queue.r_rdy & ~self.hold & (status == Status.OK)",
        "queue.r_rdy & ~self.hold",
        ("dma",),
    ),
    Fault(
        "a tile's fields may run into its loose words",
        "Numbers",
        "(takes & (used > loose)) | (puts_loose & (used >= loose))",
        "puts_loose & (used >= loose)",
        ("tile_dealer",),
    ),
    Fault(
        "a section may end behind its bank",
        "BankWords",
        "goes_to >= params.bank_bus_words",
        "goes_to > params.bank_bus_words",
        ("tile_dealer",),
    ),
    Fault(
        "rows of more bits than a directory has",
        "_Faults",
        "number_1[ROWS_BITS:].any()",
        "0",
        ("tile_dealer",),
    ),
    Fault(
        "a beat too many is seen only while the tile is dealt",
        "TileDealer",
        'faults.late.eq(~fsm.ongoing("BEATS"))',
        "faults.late.eq(self.busy)",
        ("tile_dealer",),
    ),
    Fault(
        "the first field behind the lengths has their width",
        "TileDealer",
        "with m.If(lane == last_lane):\n"
        '    numbers.follows("tail")\n'
        "    m.d.sync += [lane.eq(0), words.address.eq(words.base)]\n"
        '    m.next = "TAIL"',
        "with m.If(lane == last_lane):\n"
        "    m.d.sync += [lane.eq(0), words.address.eq(words.base)]\n"
        '    m.next = "TAIL"',
        ("tile_dealer",),
    ),
    Fault(
        "a loose word may be a field's",
        "Numbers",
        "(takes & (used > loose)) | (puts_loose & (used >= loose))",
        "takes & (used > loose)",
        ("tile_dealer",),
    ),
    Fault(
        "a front that is too long",
        "Front",
        "(header['front'] < self.fewest) | (header['front'] > self.most) | "
        "Cat((header[name] > limit for name, limit in MAX_WIDTHS.items())).any()",
        "(header['front'] < self.fewest) | Cat((header[name] > limit for name, limit "
        "in MAX_WIDTHS.items())).any()",
        ("tile_dealer",),
    ),
    Fault(
        "a slot without rows has a stream",
        "TileDealer",
        "Mux(rows == 0, 0, number[:STREAM_BITS])",
        "number[:STREAM_BITS]",
        ("tile_dealer",),
    ),
)
