"""Where the tile dealer writes, whatever comes as a tile, and when it says that it has ended.

The contract is that of `rtl.dma.dma`: a start comes while the dealer rests; between them any beats,
or none. Banks and lanes are of sizes that are no powers of two, so that an address or a lane that
does not exist can be written.

Not proven: which words of the tile go where, and that a tile that fits is taken; lockstep with the
twin and the tests of the dealer see that.
"""

import pytest
from amaranth.hdl import Assume, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from npu.chip.params import ChipParams, load_params
from rtl.dma.tile import TileDealer
from tests.formal.faults import faulty, one_in
from tests.formal.prove import before, check, prove
from tests.formal.small import smaller

PARAMS: ChipParams = smaller(
    load_params("tiny"), {"lanes": 3, "threads": 2, "bank_bytes": 88, "bus_bytes": 8}
)
END = PARAMS.bank_bus_words


class PlacesSpec(wiring.Component):
    """Any tiles at any place of the banks: writes stay inside, and nothing comes behind the end."""

    def __init__(self, unit: TileDealer) -> None:
        self._unit = unit
        super().__init__(
            {"start": In(1), "bank": In(24), "en": In(1), "data": In(8 * PARAMS.bus_bytes)}
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.unit = unit = self._unit
        m.d.comb += [
            unit.start.eq(self.start),
            unit.bank.eq(self.bank),
            unit.en.eq(self.en),
            unit.data.eq(self.data),
            Assume(~self.start | ~unit.busy),
        ]
        started, base = Signal(), Signal(range(END + 1))
        with m.If(self.start):
            m.d.sync += [started.eq(1), base.eq(Mux(self.bank < END, self.bank, END))]
        port = unit.port
        # A start in this cycle moves the base; what is written belongs to the tile before.
        check(m, "in_the_bank", ~port.en | (port.addr < END))
        check(m, "not_in_front", ~port.en | (port.addr >= base) | before(m, self.start))
        check(m, "in_a_lane", ~port.en | (port.lane < PARAMS.lanes))
        check(m, "nothing_unasked", ~port.en | started)
        check(m, "waits_with_a_beat", ~unit.waits | self.en)
        check(m, "waits_for_nothing_in_error", ~unit.waits | ~unit.error)

        restarted = before(m, self.start)
        for name in ("error", "complete"):
            signal = getattr(unit, name)
            check(m, f"{name}_stays", ~before(m, signal) | restarted | signal)
            check(m, f"no_{name}_at_a_start", ~restarted | ~signal)
        check(m, "busy_or_not_complete", ~(unit.complete & unit.busy))
        over = unit.complete & before(m, unit.complete) & ~restarted
        check(m, "nothing_behind_the_end", ~over | ~port.en)
        # A beat that comes when everything is there is one too many.
        late = before(m, unit.complete & self.en & ~self.start)
        check(m, "a_beat_too_many", ~late | unit.error)
        return m


def test_places():
    verdict = prove(PlacesSpec(TileDealer(PARAMS)))
    assert verdict.proved, verdict


@pytest.mark.parametrize(
    ("module", "old", "new", "failed"),
    one_in(
        4,
        [
            (
                "bank_words",
                "goes & (goes_to >= params.bank_bus_words)",
                "goes & 0",
                {"in_the_bank"},
            ),
            ("bank_words", "Mux(self.deals, self.lane, self.body_lane)", "3", {"in_a_lane"}),
            ("tile", "words.base.eq(begin)", "words.base.eq(0)", {"not_in_front"}),
            (
                "tile",
                "self.waits.eq(self.en & words.deals",
                "self.waits.eq(words.deals",
                {"waits_with_a_beat"},
            ),
            ("tile", "faults.late.eq(came)", "faults.late.eq(0)", {"a_beat_too_many"}),
            (
                "tile",
                "self.complete.eq(came & dealt)",
                "self.complete.eq(came)",
                {"busy_or_not_complete"},
            ),
        ],
    ),
)
def test_faulty_places(monkeypatch, module, old, new, failed):
    import rtl.dma.tile as tile

    fault = faulty(f"rtl.dma.{module}", old, new)
    if module == "tile":
        tile = fault
    else:
        monkeypatch.setattr(tile, "BankWords", fault.BankWords)
    verdict = prove(PlacesSpec(tile.TileDealer(PARAMS)))
    assert verdict.refuted and verdict.failed in failed, verdict
