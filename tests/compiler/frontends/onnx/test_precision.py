"""Bits under a budget: what is chosen, on costs that are known, and on a model."""

import numpy as np
import pytest

from compiler.floats.samples import Samples
from compiler.frontends.onnx.precision import Bytes, Choice, chosen, sensitivities, within
from compiler.frontends.onnx.quantised import quantised_model, read_float
from compiler.quantise.weights import WeightPlan
from npu.errors import CapacityError
from tests.conftest import ROOT

pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
CHOICES = {
    "robust": [Choice(8, 0, 0.0), Choice(6, 30, 1e-6), Choice(4, 50, 2e-6)],
    "fragile": [Choice(8, 0, 0.0), Choice(6, 30, 1e-2), Choice(4, 50, 1e-1)],
}


@pytest.mark.parametrize(
    ("budget", "bits"),
    [(200, (8, 8)), (199, (6, 8)), (150, (4, 8)), (149, (4, 6)), (100, (4, 4))],
)
def test_the_robust_one_goes_first(budget, bits):
    assert within(CHOICES, 200, budget, "bytes") == dict(zip(CHOICES, bits, strict=True))


def test_what_cannot_be_is_told():
    with pytest.raises(
        CapacityError, match="takes 100 bytes with the bits that save most, more than the 99 bytes"
    ):
        within(CHOICES, 200, 99, "bytes")


def test_on_a_model():
    folder = ROOT / "tests" / "vectors" / "float" / "lstm_proj_rnnt"
    source = read_float(folder / "joiner.onnx", _pairs())
    plan = WeightPlan(book=True)

    def distinct(matrix: np.ndarray) -> int:
        return len(np.unique(matrix))

    most, found = sensitivities(source, plan, Bytes(distinct), "mse")
    (choices,) = found.values()
    assert [c.bits for c in choices] == [8, 6, 5, 4, 3]
    assert [most - c.saved <= 1 << c.bits for c in choices] == [True] * 5
    errors = [c.error for c in choices]
    assert errors[0] == 0 and errors[-1] > 10 * max(errors[1], 1e-9)
    bits = chosen(source, plan, Bytes(distinct), 16, "mse")
    assert set(bits.values()) == {4}
    made = quantised_model(source, plan=WeightPlan(book=True, bits_of=bits))
    assert made.noise()[-1].decibels > 25


def _pairs() -> Samples:
    rng = np.random.default_rng(4)
    return Samples({n: rng.normal(size=(64, 1, 64)) for n in ("encoder_out", "decoder_out")})
