"""Exported transducers on TensorFlow Lite Micro, on the kernels, and on the twin of a chip."""

import numpy as np
import pytest

from compiler import check_model, compile_model
from compiler.reference import search_of
from kernels import Interpreter
from npu.chip.params import load_params
from npu.model.recording import Recording
from npu.runtime.sessions import TransducerSession
from tests.trained_transducers import random_call, random_trained, written

CALLS = 12


@pytest.mark.parametrize("stateless", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_the_kernels_answer_as_tflm_does(tmp_path, seed, stateless):
    runtime = pytest.importorskip(
        "tflite_micro.python.tflite_micro.runtime", reason="the extra `oracle` is not installed"
    )
    trained = random_trained(seed, stateless)
    model = written(trained, tmp_path / "m")
    rng = np.random.default_rng(seed)
    for role, graph in model.graphs.items():
        ours = Interpreter(graph)
        data = (tmp_path / "m" / f"{role}.tflite").read_bytes()
        theirs = runtime.Interpreter.from_bytes(data, arena_size=1 << 20)
        seen = set()
        for call in range(2 * CALLS):
            if call == CALLS:  # another utterance
                ours.reset()
                theirs.reset()
            features, symbol = random_call(rng, trained)
            inputs = {
                "encoder": [features],
                "decoder": [np.array([[symbol]], np.int32)],
                "joiner": list(rng.integers(-128, 128, (2, 1, 1, 16)).astype(np.int8)),
            }[role]
            for position, array in enumerate(inputs):
                theirs.set_input(array, position)
            theirs.invoke()
            (found,) = ours.invoke(inputs)
            np.testing.assert_array_equal(found, theirs.get_output(0))
            seen.add(found.tobytes())
        assert len(seen) > CALLS


@pytest.mark.parametrize("stateless", [False, True])
def test_the_predictor_remembers_what_it_should(tmp_path, stateless):
    """The last two symbols decide what the stateless one gives, all of them what the LSTM gives."""
    model = written(random_trained(4, stateless), tmp_path / "m")
    decoder = Interpreter(model.graphs["decoder"])

    def answer(*symbols: int) -> bytes:
        decoder.reset()
        return [decoder.invoke([np.array([[s]], np.int32)])[0].tobytes() for s in symbols][-1]

    assert (answer(1, 5, 6) == answer(2, 5, 6)) is stateless
    assert answer(5, 6) != answer(4, 6) != answer(6)


@pytest.mark.parametrize("stateless", [False, True])
def test_the_chip_answers_as_the_kernels_do(tmp_path, stateless):
    trained = random_trained(SEEDS[stateless], stateless)
    model, chip = written(trained, tmp_path / "m"), load_params("tiny")
    check_model(model, chip)
    saw = [Recording(), Recording()]
    kernels = search_of(model, saw[0])
    twin = TransducerSession(compile_model(model, chip), recording=saw[1])
    rng = np.random.default_rng(7)
    emitted = set()
    for _ in range(2):  # utterances
        twin.reset()
        kernels.reset()
        features = np.concatenate([random_call(rng, trained)[0] for _ in range(20)])
        answers = kernels.accept(features)
        assert twin.accept(features) == answers
        emitted |= set(answers)
    assert len(emitted) > 2
    left, right = (each.vectors for each in saw)
    assert left.keys() == right.keys() == {"encoder_out", "logits"}
    for name, vectors in left.items():
        np.testing.assert_array_equal(np.array(vectors), np.array(right[name]))


SEEDS = {False: 7, True: 3}
"""Of transducers that say several symbols."""
