"""Reading TFLite models: what is refused, and damaged files."""

from pathlib import Path

import numpy as np
import pytest

from compiler.frontends import read_tflite
from kernels import Interpreter
from npu.errors import ModelError, NpuError, UnsupportedError
from npu.model.graph import Graph
from npu.model.operators.binary import Add
from npu.model.operators.gather import Gather
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm
from npu.model.operators.table import Tanh
from tests.tflite_builder import ModelSpec, foreign_model, random_model, write

VECTORS = Path(__file__).parents[3] / "vectors" / "tflite"


def read(tmp_path: Path, data: bytes) -> Graph:
    path = tmp_path / "m.tflite"
    path.write_bytes(data)
    return read_tflite(path)


def refused(tmp_path: Path, data: bytes, kind: type[NpuError], message: str) -> None:
    with pytest.raises(kind, match=message) as error:
        read(tmp_path, data)
    assert str(error.value).startswith("m.tflite: ") and "\n" not in str(error.value)


def test_joint():
    graph = read_tflite(VECTORS / "joint.tflite")
    assert [type(op) for op in graph.operators] == [
        FullyConnected,
        FullyConnected,
        Add,
        Tanh,
        FullyConnected,
    ]
    assert graph.name == "joint.tflite"
    assert [graph.tensors[i].shape for i in graph.inputs] == [(1, 96), (1, 96)]
    weights = graph.tensors[graph.operators[0].weights]
    assert weights.data.shape == (128, 96) and len(weights.quantization.scale) == 128
    assert not weights.data.flags.writeable


def test_predictor():
    graph = read_tflite(VECTORS / "predictor.tflite")
    gather, lstm = graph.operators
    assert isinstance(gather, Gather) and isinstance(lstm, Lstm)
    assert graph.tensors[lstm.hidden_state].is_state and graph.tensors[lstm.cell_state].is_state
    assert lstm.cell_clip == 10.0
    assert lstm.name == "operator 1 (UNIDIRECTIONAL_SEQUENCE_LSTM)"


def test_an_operator_of_others_is_refused(tmp_path):
    message = r"^m.tflite: operator 0 SKIP_GRAM is not supported: TensorFlow Lite Micro does"
    refused(tmp_path, foreign_model(), UnsupportedError, message)


def model(kind: str) -> ModelSpec:
    return random_model(kind, np.random.default_rng(1))


def lstm_with_input(position: int, value: int) -> bytes:
    spec = model("UNIDIRECTIONAL_SEQUENCE_LSTM")
    spec.operators[0].inputs[position] = value
    return write(spec)


def lstm_with_option(**options) -> bytes:
    spec = model("UNIDIRECTIONAL_SEQUENCE_LSTM")
    name, values = spec.operators[0].options
    spec.operators[0].options = name, {**values, **options}
    return write(spec)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (lstm_with_input(9, 1), "there are no peephole connections"),
        (lstm_with_input(16, 1), "there is no projection"),
        (lstm_with_input(20, 1), "there is no layer normalisation"),
        (lstm_with_input(12, -1), "with weights and biases of all four gates"),
        (lstm_with_option(FusedActivationFunction=1), "the activation of the cell is TANH"),
    ],
)
def test_forms_of_lstm_refused(tmp_path, data, message):
    refused(tmp_path, data, UnsupportedError, message)


def test_forms_refused(tmp_path):
    spec = model("ADD")
    spec.operators[0].options = ("AddOptions", {"FusedActivationFunction": 4})
    refused(tmp_path, write(spec), UnsupportedError, r"operator 0 \(ADD\) .* RELU_N1_TO_1 \(found")
    spec = model("MUL")
    spec.tensors[0].shape = (2, 99)
    refused(tmp_path, write(spec), ModelError, r"shapes \[2, 99\] and .* cannot be broadcast")
    spec = model("TANH")
    spec.tensors[0].dtype = "float32"
    refused(tmp_path, write(spec), UnsupportedError, "inputs and outputs are int8")
    spec.tensors[0].dtype = spec.tensors[1].dtype = "int16"
    refused(tmp_path, write(spec), UnsupportedError, "inputs and outputs are int8")


def test_illegal_graphs(tmp_path):
    spec = model("TANH")
    spec.tensors[0].scale = np.float32(np.nan)
    refused(tmp_path, write(spec), ModelError, "scales must be finite")
    spec = model("FULLY_CONNECTED")
    spec.tensors[1].data = spec.tensors[1].data[:-1]
    refused(tmp_path, write(spec), ModelError, r"tensor 1 \(t1\): its contents must be \d+ bytes")
    spec = model("TANH")
    spec.operators[0].inputs[0] = 55
    refused(tmp_path, write(spec), ModelError, "a tensor index must be below 2, not 55")
    spec = model("TANH")
    spec.inputs = [-7]
    refused(tmp_path, write(spec), ModelError, "a tensor index must be below 2, not -7")


@pytest.mark.parametrize(
    "data",
    [b"", b"TFL3", b"\0" * 7, b"\0\0\0\0TFL3", b"\xff" * 100, b"\x10\0\0\0TFL3" + b"\xff" * 64],
)
def test_no_model_at_all(tmp_path, data):
    refused(tmp_path, data, ModelError, "header|damaged|list of")


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ModelError, match=r"^none.tflite: cannot be read: No such file"):
        read_tflite(tmp_path / "none.tflite")
    with pytest.raises(ModelError, match="cannot be read"):
        read_tflite(tmp_path)


def survives(tmp_path: Path, data: bytes) -> bool:
    """Whether the damage went unnoticed; anything but a one-line error fails the test."""
    try:
        graph = read(tmp_path, data)
        interpreter = Interpreter(graph)
        interpreter.invoke(
            [np.zeros(graph.tensors[i].shape, graph.tensors[i].dtype) for i in graph.inputs]
        )
    except NpuError as error:
        assert "\n" not in str(error) and str(error)
        return False
    return True


def test_names_are_made_printable(tmp_path):
    spec = model("TANH")
    spec.tensors[0].scale = np.float32(0)
    data = write(spec).replace(b"\x02\0\0\0t0\0", b"\x02\0\0\0\n\x1b\0")
    refused(tmp_path, data, ModelError, r"tensor 0 \('\?\?'\): its scales")


@pytest.mark.parametrize("name", ["lstm_small", "fc_relu", "predictor"])
def test_truncations(tmp_path, name):
    data = (VECTORS / f"{name}.tflite").read_bytes()
    rng = np.random.default_rng(2)
    for length in {*range(0, 64), *rng.integers(0, len(data), 60), len(data) - 1}:
        survives(tmp_path, data[:length])
    assert not survives(tmp_path, data[: len(data) // 2])


@pytest.mark.parametrize("name", ["lstm_small", "fc_relu", "predictor", "joint"])
def test_flipped_bytes(tmp_path, name):
    data = (VECTORS / f"{name}.tflite").read_bytes()
    rng = np.random.default_rng(3)
    noticed = 0
    for _ in range(300):
        damaged = bytearray(data)
        for position in rng.integers(0, len(data), rng.integers(1, 4)):
            damaged[position] = rng.integers(0, 256)
        noticed += not survives(tmp_path, bytes(damaged))
    # Most bytes are weights, so most flips make another sound model.
    assert noticed < 300


def test_flipped_structure(tmp_path):
    """The same in small models, which are structure for the most part."""
    rng = np.random.default_rng(4)
    noticed = 0
    for kind in ("ADD", "FULLY_CONNECTED", "QUANTIZE", "UNIDIRECTIONAL_SEQUENCE_LSTM"):
        data = write(model(kind))
        for _ in range(250):
            damaged = bytearray(data)
            damaged[rng.integers(0, min(len(data), 3000))] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
            noticed += not survives(tmp_path, bytes(damaged))
    assert noticed > 200


def test_a_vector_has_one_axis_whatever_its_file_says(tmp_path, monkeypatch):
    """A bias with the axis of the weights: as in TensorFlow Lite Micro's person detection."""
    from tflite.QuantizationParameters import QuantizationParameters

    monkeypatch.setattr(QuantizationParameters, "QuantizedDimension", lambda self: 3)
    m = ModelSpec()
    source, output = m.tensor((1, 4), "int8", 0.1, 3), m.tensor((1, 2), "int8", 0.2, 0)
    weights = m.tensor((2, 4), "int8", 0.01, 0, np.ones((2, 4), np.int8))
    bias = m.tensor((2,), "int32", [0.001, 0.001], 0, np.zeros(2, np.int32))
    m.operator("FULLY_CONNECTED", [source, weights, bias], [output])
    m.inputs, m.outputs = [source], [output]
    path = tmp_path / "bias.tflite"
    path.write_bytes(write(m))
    assert read_tflite(path).tensors[2].quantization.axis == 0
