"""What is run for code coverage, on the chip `tiny`, and compared with the twin in every cycle.

Three parts, each in a process of its own, each with a coverage file: random programs of the
lockstep, of which a quarter is damaged, and `edges`; the zoo's transducer; the tests of
`tests/rtl/sim`, which run recorded models, every operator, error programs, accesses that are
refused, and resets in the middle, on buses of all write orders, and those of a bus that goes
silent.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from compiler import compile_model, load_model
from npu.chip.memory import BusSchedule, WriteOrder
from npu.chip.params import load_params
from npu.runtime.sessions import TransducerSession
from npu.speech.ends import COMMANDS
from npu.speech.phrases import Greedily, PhraseSearch
from npu.twin.machine import Machine
from rtl.sim.machine import RtlMachine
from tests.coverage import collect, edges
from tests.lockstep.compare import compare
from tests.lockstep.programs import random_recipe
from tests.rtl.lockstep import Run, assert_equal

ROOT = Path(__file__).parent.parent.parent
TINY = load_params(collect.CHIP)
FRAMES = 4
"""Feature frames of the zoo's utterance; each takes about 20,000 cycles."""
PROGRAMS = 240
# The whole phrases take minutes with coverage; the zoo's part runs their beginning.
TESTS = (
    "tests/rtl/sim/test_harness.py",
    "tests/rtl/sim/test_rtl_operators.py",
    "tests/rtl/driver/test_silent_bus.py",
)
LEFT_OUT = "not phrases and not waves and not wrong_cycle"


def programs(path: Path, count: int = PROGRAMS) -> None:
    """Random programs, and edges. Raises AssertionError at the first difference."""
    _covering()
    edges.run(TINY)
    for seed in range(count):
        outcome = compare(random_recipe(seed), TINY)
        assert outcome.difference is None, f"seed {seed}:\n{outcome.difference}"
    collect.write(TINY, path)


def zoo(path: Path, frames: int = FRAMES) -> None:
    """The beginning of an utterance. Raises AssertionError where twin and RTL differ."""
    _covering()
    folder = ROOT / "npu" / "zoo" / "commands_rnnt"
    image = compile_model(load_model(folder), TINY)
    taken = image.header.features
    assert taken is not None
    with np.load(min((folder / "utterances").glob("*.npz"))) as recorded:
        features = recorded["features"].reshape(-1, *taken.shape[1:])[:frames]
    ready = np.random.default_rng(5).random((5, 61)) < 0.8
    schedule = BusSchedule(*ready, order=WriteOrder.DATA_FIRST)
    runs = []
    for machine in (Machine, RtlMachine):
        run = Run()
        session = TransducerSession(
            image,
            schedule=schedule,
            machine=machine,
            observer=lambda retire, _, run=run: run.records.append(retire),
        )
        run.machine = session.machine
        search = PhraseSearch(Greedily(session), COMMANDS.rule(0.06), taken.scale, taken.zero_point)
        search.accept(features)
        runs.append(run)
    assert runs[0].records
    assert_equal(image, *runs)
    collect.write(TINY, path)


def tests(path: Path) -> None:
    """TESTS. Raises AssertionError if one fails."""
    plugin = ["-p", "tests.coverage.collect", "--coverage-file", str(path)]
    names = [str(ROOT / name) for name in TESTS]
    options = ["-q", "-p", "no:cacheprovider", "-k", LEFT_OUT]
    environment = {**os.environ, "RTL_MODELS": "1"}
    command = [sys.executable, "-m", "pytest", *plugin, *options, *names]
    done = subprocess.run(command, cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0, f"pytest ended with {done.returncode}"


PARTS = {"programs": programs, "zoo": zoo, "tests": tests}


def _covering() -> None:
    collect.cover(TINY, pytest.MonkeyPatch())


def main() -> int:
    """Run one part in this process: `python -m tests.coverage.stimuli PART FILE`."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("file", type=Path)
    arguments = parser.parse_args()
    PARTS[arguments.part](arguments.file)
    return 0


if __name__ == "__main__":
    sys.exit(main())
