"""Latencies are stated once and are consistent with each other."""

import ast

from npu.chip import isa, timing
from npu.chip.params import load_params
from tests.conftest import ROOT


def test_constants_are_positive_cycles():
    constants = {k: v for k, v in vars(timing).items() if k.isupper() and isinstance(v, int)}
    assert len(constants) > 10
    assert all(value >= 1 for value in constants.values())


def test_a_lane_holds_the_rows_in_its_pipeline():
    """Otherwise no turn could ever be taken."""
    for name in ("tiny", "edge", "max"):
        assert load_params(name).result_fifo > timing.LANE_PIPELINE


def test_streams_are_ready_after_directory_and_windows():
    # Four words, and a cycle for the end of the last stream.
    assert timing.prime(2) == 4 + 1 + 4 * timing.PRIME_WORDS + timing.BANK_LATENCY
    assert timing.prime(4) - timing.prime(3) == 2 + 2 * timing.PRIME_WORDS


def test_a_vector_takes_a_group_per_cycle():
    vector = {op.name for op in isa.OPCODES.values() if op.unit == "vector"}
    for name in vector - {"TABLE", "VLOOP", *timing.SUMS}:
        assert timing.vector(name, 100) - timing.vector(name, 1) == 99
    for name in timing.SUMS:
        assert timing.vector(name, 100) - timing.vector(name, 1) == 99 * timing.ADD_PASSES


def test_no_latency_is_repeated_elsewhere():
    """The twin names its latencies: no module of it defines a constant called like one."""
    names = {k for k in vars(timing) if k.isupper()}
    for path in (ROOT / "npu" / "twin").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                targets = {t.id for t in node.targets if isinstance(t, ast.Name)}
                assert not {t.lstrip("_") for t in targets} & names, path
