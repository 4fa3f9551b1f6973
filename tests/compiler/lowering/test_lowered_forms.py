"""Forms of public models that were refused once: the twin answers as the kernels."""

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.on_the_twin import chip, differences

REFUSED = ROOT / "tests" / "vectors" / "refused"
FORMS = (
    "add_const",
    "bilstm",
    "dense_float_io",
    "dense_uint8_io",
    "fc_wzp",
    "flatten_129",
    "gather_constant",
    "mulvec",
    "reshape_cut",
)


@pytest.mark.parametrize("name", FORMS)
def test_the_twin_answers_as_the_kernels(name):
    assert (
        differences(
            REFUSED / f"{name}.tflite", np.random.default_rng(7), chip(activation_entries=4096)
        )
        == 0
    )
