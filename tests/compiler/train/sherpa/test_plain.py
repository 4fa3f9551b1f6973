"""The plain float export: onnxruntime answers as the float networks do, and it is quantised."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")

from compiler.floats.samples import Samples  # noqa: E402
from compiler.frontends.models import load_model  # noqa: E402
from compiler.frontends.onnx.transducer import quantise_transducer  # noqa: E402
from compiler.quantise.weights import WeightPlan  # noqa: E402
from compiler.train.export.reading import trained_of  # noqa: E402
from compiler.train.sherpa.floats import FloatNetworks  # noqa: E402
from compiler.train.sherpa.plain import write_plain  # noqa: E402
from compiler.train.symbols import SYMBOLS  # noqa: E402
from npu.errors import ModelError, UnsupportedError  # noqa: E402
from npu.model.operators.recurrent import Lstm  # noqa: E402
from tests.trained_transducers import random_trained  # noqa: E402

CALLS = 40


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    folder = tmp_path_factory.mktemp("plain")
    trained = trained_of(load_model("commands"))
    write_plain(folder, trained, SYMBOLS)
    return folder, trained


def told(folder, part, given):
    """What onnxruntime says call by call, states carried."""
    session = onnxruntime.InferenceSession(str(folder / f"{part}.onnx"))
    names = [each.name for each in session.get_outputs()]
    shapes = {each.name: each.shape for each in session.get_inputs()}
    name, rows = given
    state = {n: np.zeros(s, np.float32) for n, s in shapes.items() if n[0] in "hc"}
    for row in rows:
        found = dict(zip(names, session.run(None, {name: row, **state}), strict=True))
        state = {each: found[f"next_{each}"] for each in state}
        yield found[f"{part}_out"][0]


def test_onnxruntime_answers_as_the_floats_do(exported):
    folder, trained = exported
    ours = FloatNetworks(trained)
    rng = np.random.default_rng(2)
    heard = rng.integers(-128, 128, (CALLS, *ours.features.shape), np.int8)
    real = [trained.features.real(each).astype(np.float32) for each in heard]
    for mine, theirs in zip(heard, told(folder, "encoder", ("x", real)), strict=True):
        np.testing.assert_allclose(theirs, ours.encode(mine)[0], rtol=0, atol=2e-4)
    symbols = rng.integers(0, ours.symbols, CALLS)
    rows = [np.array([[each]]) for each in symbols]
    for symbol, theirs in zip(symbols, told(folder, "decoder", ("y", rows)), strict=True):
        np.testing.assert_allclose(theirs, ours.predict(int(symbol)), rtol=0, atol=2e-4)


def test_it_is_quantised_as_any_other(exported):
    folder, trained = exported
    rng = np.random.default_rng(3)
    shape = FloatNetworks(trained).features.shape
    data = Samples({"x": rng.normal(0, 1, (60, *shape)).clip(-4, 4).astype(np.float32)}, "noise")
    made = quantise_transducer(folder, data)
    assert set(made.parts) == {"encoder", "decoder", "joiner"}
    assert made.parts["encoder"].noise()[-1].decibels > 25


def test_cells_that_grow_are_limited_where_asked(exported):
    """The trained network counts in cells that its chip clips at 10; it answers much the same."""
    folder, trained = exported
    shape = FloatNetworks(trained).features.shape
    # One loud vowel: some cell grows with every call.
    steady = np.repeat(np.random.default_rng(6).normal(1, 1, (1, *shape)), 400, axis=0)
    data = Samples({"x": steady.clip(-4, 4).astype(np.float32)}, "a vowel")
    with pytest.raises(UnsupportedError, match=r"node 'LSTM.*is beyond 64; .*--clip-cells"):
        quantise_transducer(folder, data)
    made = quantise_transducer(folder, data, plan=WeightPlan(cell_clip=10.0))
    encoder = made.parts["encoder"]
    lstms = [op for op in encoder.graph.operators if isinstance(op, Lstm)]
    assert len(lstms) == 3 and {op.cell_clip for op in lstms} == {10.0}
    assert encoder.noise()[-1].decibels > 15


def test_a_stateless_predictor_has_another_form(tmp_path):
    with pytest.raises(ModelError, match="the predictor has no LSTM layer"):
        write_plain(tmp_path / "out", random_trained(1, stateless=True), SYMBOLS)
