"""The large transducer that is made here: its size, and that it runs as any other one."""

import numpy as np
import pytest

from compiler import check_model, compile_model, load_model, reference
from compiler.bench.large import UNITS, ZEROS, write_transducer
from npu.analysis.streaming import OnTwin
from npu.chip.params import load_params
from npu.runtime.calls import calls_of


def test_it_has_the_parameters_that_it_should(zoo, tmp_path):
    units = (4, 8, 16)
    sizes = [write_transducer(tmp_path, zoo / "commands_rnnt", each) for each in units]
    of_units = np.polynomial.Polynomial.fit(units, [size.parameters for size in sizes], 2)
    assert of_units(UNITS) == pytest.approx(45.35e6, abs=0.05e6)
    zeros = write_transducer(tmp_path, zoo / "commands_rnnt", 64).zeros
    assert zeros == pytest.approx(ZEROS, abs=0.02)


def test_the_chip_answers_as_the_kernels_do(zoo, tmp_path):
    write_transducer(tmp_path, zoo / "commands_rnnt", 24)
    model, chip = load_model(tmp_path), load_params("max")
    check_model(model, chip)
    image = compile_model(model, chip)
    sound = np.concatenate([features for (features,) in calls_of(image)])
    answers = []
    for engine in (reference.search_of(model), OnTwin(image)):
        engine.reset()
        answers.append(engine.accept_calls(sound.reshape(-1, *image.header.features.shape[1:])))
    assert answers[0] == answers[1] and any(answers[0])
