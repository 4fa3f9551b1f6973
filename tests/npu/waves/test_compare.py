"""Two files of waveforms side by side: what is equal, and where they part ways."""

import numpy as np
import pytest

pytest.importorskip("vcd", reason="pyvcd is not installed")

from npu.chip.params import load_params
from npu.waves import vcd
from npu.waves.compare import WaveDifference, compare
from npu.waves.signals import ACTIVE, PC, RUNNING, widths

WIDTHS = widths(load_params("tiny"))
CYCLES = 8


def written(path, changes, cycles=CYCLES):
    waves = {name: np.zeros(cycles, np.int64) for name in WIDTHS}
    for name, values in changes.items():
        waves[name][:] = values
    with path.open("w") as file:
        vcd.write(file, WIDTHS, waves.items(), cycles)
    return path


@pytest.fixture
def twin(tmp_path):
    """All of its cycles are the chip's, and a program runs in the first six."""
    running = [1] * 6 + [0] * 2
    changes = {ACTIVE: 1, RUNNING: running, PC: [0, 0, 1, 1, 1, 2, 3, 3]}
    return written(tmp_path / "twin.vcd", changes)


def of_rtl(path, pc, active, running):
    return written(path, {ACTIVE: active, RUNNING: running, PC: pc}, len(pc))


def test_the_host_between_two_cycles(twin, tmp_path):
    """While the chip is not active, its cycles do not count."""
    rtl = of_rtl(
        tmp_path / "rtl.vcd",
        pc=[9, 0, 0, 1, 7, 7, 1, 1, 2, 3, 3],
        active=[0, 1, 1, 1, 0, 0, 1, 1, 1, 1, 1],
        running=[0, 1, 1, 1, 0, 0, 1, 1, 1, 0, 0],
    )
    assert compare(twin, rtl, WIDTHS) == (len(WIDTHS), CYCLES, None)


def test_a_difference(twin, tmp_path):
    rtl = of_rtl(
        tmp_path / "rtl.vcd",
        pc=[9, 0, 0, 1, 1, 2, 2, 3, 3],
        active=[0] + [1] * 8,
        running=[0] + [1] * 6 + [0] * 2,
    )
    assert compare(twin, rtl, WIDTHS).difference == WaveDifference(4, PC, 1, 2, 50)


@pytest.mark.parametrize(("last", "equal"), [(7, True), (6, True), (5, False)])
def test_an_early_end(twin, tmp_path, last, equal):
    """Transfers that go on behind a program may be cut off, a program may not."""
    pc, running = [0, 0, 1, 1, 1, 2, 3][:last], ([1] * 6 + [0])[:last]
    found = compare(twin, of_rtl(tmp_path / "rtl.vcd", pc, [1] * last, running), WIDTHS)
    assert found.cycles == last
    expected = None if equal else WaveDifference(5, RUNNING, 1, None, 50)
    assert found.difference == expected
