"""What a refusal says: what the model is, where, and the way out."""

import re

import numpy as np
import pytest

from compiler import examine_model, load_model
from npu.errors import NpuError
from tests.conftest import ROOT
from tests.tflite_builder import ModelSpec, write

REFUSED = ROOT / "tests" / "vectors" / "refused"


def refusal(path) -> str:
    with pytest.raises(NpuError) as caught:
        load_model(path)
    text = str(caught.value)
    assert "\n" not in text and path.name in text
    return text


@pytest.mark.parametrize(
    ("name", "match"),
    [
        (
            "multisig.tflite",
            'it has 2 signatures, "dec", "enc"; choose one with --signature NAME',
        ),
        (
            "fc_relu_vela.tflite",
            "compiled already, by Vela for an Ethos-U; give the model that",
        ),
        ("joiner.onnx", "it is a float model, .*npu quantize joiner.onnx --calibrate DATA.npz"),
    ],
)
def test_models_of_other_tools(name, match):
    assert re.search(match, refusal(REFUSED / name))


def dense(weights: str, activations: str) -> bytes:
    """A FULLY_CONNECTED of some types."""
    m = ModelSpec()
    scale = np.float32(0.1)
    of_data = scale if activations.startswith("int") else None
    of_weights = scale if weights == "int8" else None
    x = m.tensor((1, 8), activations, of_data)
    w = m.tensor((4, 8), weights, of_weights, data=np.ones((4, 8), weights))
    y = m.tensor((1, 4), activations, of_data)
    m.operator("FULLY_CONNECTED", [x, w, -1], [y], ("FullyConnectedOptions", {}))
    m.inputs, m.outputs = [x], [y]
    return write(m)


@pytest.mark.parametrize(
    ("weights", "activations", "match"),
    [
        ("float32", "float32", "it is a float model, .*npu quantize.*TFLITE_BUILTINS_INT8"),
        (
            "int8",
            "float32",
            "only its weights are quantised, it computes in float, .*npu quantize .*converter",
        ),
        ("int8", "int16", "it is quantised 16x8, .*TFLITE_BUILTINS_INT8"),
    ],
)
def test_other_kinds_of_quantisation(tmp_path, weights, activations, match):
    path = tmp_path / "m.tflite"
    path.write_bytes(dense(weights, activations))
    text = refusal(path)
    assert re.search(match, text)
    assert "operator 0 (FULLY_CONNECTED)" in text


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"PK\3\4" + bytes(60), "zip archive, such as Keras and PyTorch write"),
        (b"\x89HDF\r\n\x1a\n" + bytes(60), "HDF5 file"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:", "git lfs pull"),
        (b"\x1f\x8b" + bytes(60), "gzip; unpack it"),
        ((50).to_bytes(8, "little") + b'{"memory":' + bytes(60), "compiled image: .*suffix .npu"),
        (b"Once upon a time", "this is no TFLite model$"),
    ],
)
def test_other_files(tmp_path, content, match):
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    assert re.search(match, refusal(path))


def test_folders_that_are_no_transducer(tmp_path):
    assert "model.json is missing" in refusal(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    assert "it is a SavedModel of TensorFlow" in refusal(tmp_path)
    (tmp_path / "encoder.onnx").touch()
    assert "its models are float" in refusal(tmp_path)
    np.savez(tmp_path / "frames.npz", x=np.zeros((2, 1, 4), np.float32))
    assert "has one decoder.onnx; found: none" in refusal(tmp_path)


def test_a_folder_without_a_name_of_its_own(zoo, monkeypatch):
    monkeypatch.chdir(zoo / "commands_rnnt")
    assert load_model(".").name == "commands_rnnt"
    monkeypatch.chdir(zoo / "commands_rnnt" / "utterances")
    assert load_model("..").name == "commands_rnnt"


def test_every_operator_is_listed():
    verdicts = examine_model(REFUSED / "bilstm.tflite")["bilstm.tflite"]
    assert [(v.name.split(" ", 2)[2], v.reason) for v in verdicts] == [
        ("(REVERSE_V2)", None),
        ("(UNIDIRECTIONAL_SEQUENCE_LSTM)", None),
        ("(REVERSE_V2)", None),
        ("(UNIDIRECTIONAL_SEQUENCE_LSTM)", None),
        ("(CONCATENATION)", None),
    ]
    (custom,) = examine_model(REFUSED / "fc_relu_vela.tflite")["fc_relu_vela.tflite"]
    assert custom.name == "operator 0 (CUSTOM ethos-u)"
    names = [v.name for v in examine_model(REFUSED / "multisig.tflite")["multisig.tflite"]]
    assert names == [f"{prefix}operator 0 (FULLY_CONNECTED)" for prefix in ("", "subgraph 1, ")]
    kinds = examine_model(REFUSED / "joiner.onnx")["joiner.onnx"]
    assert [(v.name.split(" ")[2], v.reason) for v in kinds] == [
        ("Add", None),
        ("Tanh", None),
        ("Gemm", None),
    ]


def test_what_runs_is_listed_so():
    vectors = ROOT / "tests" / "vectors" / "tflite"
    for name in ("joint", "predictor", "lstm_small"):
        for verdicts in examine_model(vectors / f"{name}.tflite").values():
            assert all(v.reason is None and v.operands for v in verdicts)
    assert len(examine_model("commands_rnnt")) == 3


@pytest.mark.parametrize("name", ["bilstm", "dense_float_io", "multisig", "fc_relu_vela"])
def test_damage_to_what_is_refused(tmp_path, name):
    """The explanation reads the file too."""
    data = (REFUSED / f"{name}.tflite").read_bytes()
    path = tmp_path / "m.tflite"
    rng = np.random.default_rng(7)
    for _ in range(150):
        damaged = bytearray(data)
        for position in rng.integers(8, len(data), rng.integers(1, 4)):
            damaged[position] = rng.integers(0, 256)
        path.write_bytes(damaged)
        for read in (load_model, examine_model):
            try:
                read(path)
            except NpuError as error:
                assert "\n" not in str(error)
