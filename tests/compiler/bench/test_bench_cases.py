"""The matrices of the codec's bench."""

import numpy as np

from compiler import load_model
from compiler.bench.cases import model_cases
from npu.chip.params import load_params


def test_the_gates_of_an_lstm_are_cases_of_their_own():
    """The operator says where gates border: neither rows of other scale nor like scales do."""
    for case in model_cases(load_model("commands_rnnt"), load_params("edge")):
        assert len(case.parts) == (4 if "LSTM" in case.name else 1), case.name
        rows = sum(len(part) for part in case.parts)
        assert rows == len(case.weights)
        for part, mine in zip(case.parts, np.split(case.weights, len(case.parts)), strict=True):
            # Behind its own columns are those that fill a bus word.
            width = part.shape[1]
            assert np.array_equal(part, mine[:, :width]) and not mine[:, width:].any()
