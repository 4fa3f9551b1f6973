"""Faults in what moves: bursts, the DMA engine, the dealer of tiles."""

from tests.mutation.fault import Fault

TRANSFERS = (
    Fault(
        "the next burst begins where this one did",
        "dma/bursts.py",
        "rest_address.eq(from_address + limit)",
        "rest_address.eq(from_address)",
        ("dma",),
    ),
    Fault(
        "the rest of a transfer is a beat short",
        "dma/bursts.py",
        "Mux(fits, 0, from_beats - limit)",
        "Mux(fits, 0, from_beats - limit - 1)",
        ("dma",),
    ),
    Fault(
        "data waits for its address",
        "dma/dma.py",
        "w.valid.eq(~filled)",
        "w.valid.eq(addressed & ~filled)",
        ("dma",),
    ),
    Fault(
        "an address waits for its data",
        "dma/dma.py",
        "aw.valid.eq(~addressed)",
        "aw.valid.eq(filled & ~addressed)",
        ("dma",),
    ),
    Fault(
        "the next burst's data comes before its address",
        "dma/dma.py",
        "bursts.next.eq(now_addressed & now_filled)",
        "bursts.next.eq(now_filled)",
        ("dma",),
    ),
    Fault(
        "a transfer starts while it is held",
        "dma/dma.py",
        "start.eq(queue.r_rdy & ~self.hold & (status == Status.OK))",
        "start.eq(queue.r_rdy & (status == Status.OK))",
        ("dma", "control", "top"),
    ),
    Fault(
        "transfers are taken after an error",
        "dma/dma.py",
        "self.transfers.ready.eq(queue.w_rdy & (status == Status.OK))",
        "self.transfers.ready.eq(queue.w_rdy)",
        ("dma", "top"),
    ),
    Fault(
        "busy for ever after an error",
        "dma/dma.py",
        "queue.r_rdy & ((status == Status.OK) | self.active)",
        "queue.r_rdy",
        ("dma", "top"),
    ),
    Fault(
        "a later error's command is told",
        "dma/dma.py",
        "        with m.If(status == Status.OK):\n            m.d.sync += culprit",
        "        with m.If(1):\n            m.d.sync += culprit",
        ("dma", "top"),
    ),
    Fault(
        "a tile that brings too little is right",
        "dma/dma.py",
        "(tile.error | ~tile.complete)",
        "tile.error",
        ("dma", "tile_dealer"),
    ),
    Fault(
        "a beat with an error is stored",
        "dma/dma.py",
        "beat.eq(turn.received & ~turn.bad)",
        "beat.eq(turn.received)",
        ("dma",),
    ),
    Fault(
        "a transfer starts after an error",
        "dma/dma.py",
        "start.eq(queue.r_rdy & ~self.hold & (status == Status.OK))",
        "start.eq(queue.r_rdy & ~self.hold)",
        ("dma",),
    ),
    Fault(
        "a tile's fields may run into its loose words",
        "dma/front.py",
        "(takes & (used > loose)) | ",
        "",
        ("tile_dealer",),
    ),
    Fault(
        "a section may end behind its bank",
        "dma/bank_words.py",
        "goes_to >= bank_bus_words",
        "goes_to > bank_bus_words",
        ("tile_dealer",),
    ),
    Fault(
        "rows of more bits than a directory has",
        "dma/tile.py",
        "number_1[ROWS_BITS:].any()",
        "0",
        ("tile_dealer",),
    ),
    Fault(
        "a beat too many is seen only while the tile is dealt",
        "dma/tile.py",
        'late.eq(~fsm.ongoing("BEATS"))',
        "late.eq(self.busy)",
        ("tile_dealer",),
    ),
    Fault(
        "the first field behind the lengths has their width",
        "dma/tile.py",
        """                with m.If(lane == last_lane):
                    numbers.follows("tail")
""",
        """                with m.If(lane == last_lane):
""",
        ("tile_dealer",),
    ),
    Fault(
        "a loose word may be a field's",
        "dma/front.py",
        " | (puts_loose & (used >= loose))",
        "",
        ("tile_dealer",),
    ),
    Fault(
        "a front that is too long",
        "dma/front.py",
        '            | (header["front"] > self.most)\n',
        "",
        ("tile_dealer",),
    ),
    Fault(
        "a slot without rows has a stream",
        "dma/tile.py",
        "stream = Mux(rows == 0, 0, number[:STREAM_BITS])",
        "stream = number[:STREAM_BITS]",
        ("tile_dealer",),
    ),
)
