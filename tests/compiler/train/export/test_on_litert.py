"""Exported transducers on LiteRT, which reads no variable that nobody has assigned.

It rescales products with one rounding where TFLM and the chip round twice, so that behind layers
integers differ by a step here and there. Of what a variable holds every bit is the same.
"""

import numpy as np
import pytest

from kernels import Interpreter
from npu.model.operators.variable import ReadVariable
from tests.trained_transducers import random_call, random_trained, written

CALLS, STEPS = 24, 2
LARGEST_SHARE = {"encoder": 0.25, "decoder": 0.06, "joiner": 0.01}
"""Of elements that differ: three recurrent layers and two in front of the first two ends."""


@pytest.fixture
def litert():
    return pytest.importorskip(
        "ai_edge_litert.interpreter", reason="the extra `peers` is not installed"
    )


def ready(litert, path):
    made = litert.Interpreter(
        str(path),
        num_threads=1,
        experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF,
        experimental_preserve_all_tensors=True,
    )
    made.allocate_tensors()
    return made


def called(theirs, inputs) -> np.ndarray:
    for told, array in zip(theirs.get_input_details(), inputs, strict=True):
        theirs.set_tensor(told["index"], array)
    theirs.invoke()
    return theirs.get_tensor(theirs.get_output_details()[0]["index"])


@pytest.mark.parametrize("stateless", [False, True])
def test_all_graphs_run_and_differ_by_single_steps(tmp_path, litert, stateless):
    trained = random_trained(1, stateless)
    model = written(trained, tmp_path / "m")
    rng = np.random.default_rng(1)
    for role, graph in model.graphs.items():
        ours, theirs = Interpreter(graph), ready(litert, tmp_path / "m" / f"{role}.tflite")
        apart = []
        for _ in range(CALLS):
            features, symbol = random_call(rng, trained)
            inputs = {
                "encoder": [features],
                "decoder": [np.array([[symbol]], np.int32)],
                "joiner": list(rng.integers(-128, 128, (2, 1, 1, 16)).astype(np.int8)),
            }[role]
            (found,) = ours.invoke(inputs)
            apart.append(np.abs(found.astype(int) - called(theirs, inputs)))
        assert np.max(apart) <= STEPS
        assert np.count_nonzero(apart) <= LARGEST_SHARE[role] * np.size(apart), role


@pytest.mark.parametrize("seed", range(3))
def test_what_the_predictor_remembers_is_the_same_in_every_bit(tmp_path, litert, seed):
    """From the first call on, which nobody has assigned anything before."""
    trained = random_trained(seed, True)
    graph = written(trained, tmp_path / "m").graphs["decoder"]
    (read,) = (op for op in graph.operators if isinstance(op, ReadVariable))
    ours, theirs = Interpreter(graph), ready(litert, tmp_path / "m" / "decoder.tflite")
    (held,) = (t["index"] for t in theirs.get_tensor_details() if t["name"] == "last_symbol")
    rng, seen = np.random.default_rng(seed), set()
    for _ in range(CALLS):
        symbol = [np.array([[random_call(rng, trained)[1]]], np.int32)]
        ours.invoke(symbol)
        called(theirs, symbol)
        found = ours.tensor(read.output)
        np.testing.assert_array_equal(found, theirs.get_tensor(held))
        seen.add(found.tobytes())
    assert len(seen) > 3
