"""Field by field: a file written here beside that of TensorFlow's converter, of one network.

May differ: names; the order of tensors and buffers; the converter's two entries of metadata and the
buffers that nothing names.
"""

import json
from typing import Any

import pytest
import tflite

from compiler import load_model
from compiler.quantise import layers
from compiler.train.export import write_transducer
from compiler.train.export.reading import trained_of

ROLES = ("encoder", "decoder", "joiner")
NAMES = {"Name", "Description"}
"""Fields of texts, read where there is one and not compared."""
ALONE = {"GetRootAs", "GetRootAsModel", "Init", "BufferHasIdentifier"}


@pytest.fixture(scope="module")
def again(zoo, tmp_path_factory):
    return write_again(zoo / "commands_rnnt", tmp_path_factory.mktemp("export"))


def write_again(source, place):
    model = load_model(source)
    front = json.loads((source / "model.json").read_text())["frontend"]
    symbols = model.tokens.symbols
    write_transducer(place / "again", trained_of(model), symbols, front, "again", None)
    return place / "again"


def open_model(path) -> Any:
    return tflite.Model.GetRootAsModel(path.read_bytes(), 0)


def fields(table: Any) -> dict[str, Any]:
    """The plain fields of a table of the schema: all of its accessors without arguments."""
    found = {}
    for name in sorted(vars(type(table))):
        if not name[0].isupper() or name.startswith("GetRoot") or name in {*ALONE, *NAMES}:
            continue
        try:
            value = getattr(table, name)()
        except TypeError:  # it takes an index: an element of a vector
            continue
        found[name] = value.tolist() if hasattr(value, "tolist") else value
    plain = (int, float, bytes, list, type(None))
    return {name: value for name, value in found.items() if isinstance(value, plain)}


def tensor(model: Any, index: int) -> dict[str, Any] | None:
    """A tensor as values: its fields, its quantisation's, its data."""
    if index < 0:
        return None
    table = model.Subgraphs(0).Tensors(index)
    found = fields(table)
    quantization, buffer = table.Quantization(), found.pop("Buffer")
    found["quantization"] = None if quantization is None else fields(quantization)
    data = model.Buffers(buffer).DataAsNumpy()
    found["data"] = data.tobytes() if hasattr(data, "tobytes") else None
    found["own buffer"] = buffer > 0
    return found


def operator(model: Any, number: int) -> dict[str, Any]:
    """An operator as values: its code's fields, its options', its tensors."""
    table = model.Subgraphs(0).Operators(number)
    found = fields(table)
    del found["OpcodeIndex"]
    code = fields(model.OperatorCodes(table.OpcodeIndex()))
    options = table.BuiltinOptions()
    if options is not None:
        kinds = {v: k for k, v in vars(tflite.BuiltinOptions).items() if isinstance(v, int)}
        typed = getattr(tflite, kinds[table.BuiltinOptionsType()])()
        typed.Init(options.Bytes, options.Pos)
        options = fields(typed)
    for side in ("Inputs", "Outputs", "Intermediates"):
        found.pop(f"{side}AsNumpy")
        each = getattr(table, side)
        found[side] = [tensor(model, each(i)) for i in range(found[f"{side}Length"])]
    return {**found, "code": code, "options": options}


def as_values(model: Any) -> dict[str, Any]:
    """A model as values, without names and numbers of tensors."""
    graph = model.Subgraphs(0)
    found = {
        "version": model.Version(),
        "subgraphs": [model.SubgraphsLength(), graph.Name()],
        "tensors": graph.TensorsLength(),
        "codes": model.OperatorCodesLength(),
        "operators": [operator(model, i) for i in range(graph.OperatorsLength())],
        "inputs": [tensor(model, i) for i in graph.InputsAsNumpy()],
        "outputs": [tensor(model, i) for i in graph.OutputsAsNumpy()],
        "signatures": [],
    }
    for number in range(model.SignatureDefsLength()):
        signature = model.SignatureDefs(number)
        ends = [
            [getattr(signature, side)(i).TensorIndex() for i in range(length())]
            for side, length in (
                ("Inputs", signature.InputsLength),
                ("Outputs", signature.OutputsLength),
            )
        ]
        assert ends == [graph.InputsAsNumpy().tolist(), graph.OutputsAsNumpy().tolist()]
        found["signatures"].append((signature.SignatureKey(), signature.SubgraphIndex()))
    return found


@pytest.mark.parametrize("role", ROLES)
def test_every_field_is_the_converters(zoo, again, role):
    theirs = as_values(open_model(zoo / "commands_rnnt" / f"{role}.tflite"))
    ours = as_values(open_model(again / f"{role}.tflite"))
    assert theirs.keys() == ours.keys()
    for left, right in zip(theirs["operators"], ours["operators"], strict=True):
        assert left == right
    assert theirs == ours


def test_another_version_is_seen(zoo, tmp_path, monkeypatch):
    monkeypatch.setattr(layers, "FULLY_CONNECTED_VERSION", 4)
    folder = write_again(zoo / "commands_rnnt", tmp_path)
    pairs = [as_values(open_model(f / "joiner.tflite")) for f in (zoo / "commands_rnnt", folder)]
    assert [each["operators"][2]["code"].pop("Version") for each in pairs] == [5, 4]
    assert pairs[0] == pairs[1]


def test_what_is_compared(zoo):
    """Tables are read as deep as they go: clip and intermediates of an LSTM, its states' types."""
    lstm = as_values(open_model(zoo / "commands_rnnt" / "encoder.tflite"))["operators"][0]
    assert (lstm["options"]["CellClip"], lstm["code"]["BuiltinCode"]) == (10.0, 44)
    assert len(lstm["Inputs"]) == 24 and len(lstm["Intermediates"]) == 5
    cell = lstm["Inputs"][19]
    assert (cell["Type"], cell["IsVariable"], cell["own buffer"]) == (7, True, False)
    assert cell["quantization"]["ScaleAsNumpy"] == [2.0**-11]
    assert len(lstm["Inputs"][1]["data"]) == 192 * 120


def test_only_metadata_and_names_are_left_out(zoo, again):
    theirs = open_model(zoo / "commands_rnnt" / "encoder.tflite")
    ours = open_model(again / "encoder.tflite")
    kept = [theirs.Metadata(i).Name() for i in range(theirs.MetadataLength())]
    assert kept == [b"min_runtime_version", b"CONVERSION_METADATA"]
    assert ours.MetadataLength() == 0
    assert (theirs.Description(), ours.Description()) == (b"MLIR Converted.", b"zeroskip")
