"""A float model of TFLite and its calibration data become a traced float graph."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tflite.TensorType import TensorType

from compiler.floats.files import library
from compiler.floats.graph import OPSET
from compiler.floats.samples import Samples
from compiler.floats.trace import Traced, trace
from compiler.frontends.forms import computes_in_floats
from compiler.frontends.tflite.schema import TYPE_NAMES
from compiler.frontends.tflite.signatures import chosen, names_of
from compiler.frontends.tflite.source import Source, kind_name
from compiler.frontends.tflite.tensors import RawTensor, raw_tensors
from compiler.frontends.tflite_float.site import ONNX_TYPES, Site, Written
from compiler.frontends.tflite_float.table import reason_of, rule_of
from compiler.frontends.tflite_float.variables import first_values
from npu.errors import UnsupportedError


def read_float_tflite(
    path: str | Path,
    samples: Samples,
    states: Mapping[str, str] | None = None,
    fixed: Collection[str] = (),
    outputs: Collection[str] | None = None,
    signature: str | None = None,
) -> Traced:
    """A float graph as the file has it, with the samples of its inputs.

    Ends are called what a signature calls them, else what the file calls their tensors. Weights
    may be float32, float16, or integers that are made real before they are used: what these stand
    for is what the graph has. Variables and states of LSTM layers are states of the graph.

    states, fixed, outputs : as `compiler.floats.trace.read_onnx` takes them.
    signature : which of the file's models, where it has several.

    Raises
    ------
    ModelError
        The file is damaged, or the samples do not fit.
    UnsupportedError
        An operator, a form of one, or a type has no form as a float graph.
    """
    source = Source(Path(path))
    return source.guarded(lambda: _traced(source, samples, states, fixed, outputs, signature))


def _traced(
    source: Source,
    samples: Samples,
    states: Mapping[str, str] | None,
    fixed: Collection[str],
    outputs: Collection[str] | None,
    signature: str | None,
) -> Traced:
    written, model = _model(source, signature)
    arrays = dict(samples.arrays)
    # Data may be called as the file calls tensors, too.
    for index, name in enumerate(written.names):
        if name not in arrays and written.raw[index].name in arrays and index in written.ends:
            arrays[name] = arrays.pop(written.raw[index].name)
    told = {**written.states, **(states or {})}
    found = trace(
        model,
        source.name,
        Samples(arrays, samples.place),
        told,
        fixed,
        outputs,
        written.initial,
    )
    return replace(found, limits=written.clips)


def _model(source: Source, signature: str | None) -> tuple[Written, Any]:
    main = chosen(source, source.open(), signature)
    source.turn_to(main)
    if not computes_in_floats(source.model, source.subgraph):
        raise UnsupportedError(
            f"{source.name}: it computes in integers already, or in part: every command takes such "
            "a model as it stands (npu inspect says what of it runs)"
        )
    initial = first_values(source)
    source.turn_to(main, f"subgraph {main}, " if main else "")
    raw = raw_tensors(source)
    source.place = "inputs and outputs"
    inputs, outputs = (
        source.indices(vector, len(raw), optional=False)
        for vector in (source.subgraph.InputsAsNumpy(), source.subgraph.OutputsAsNumpy())
    )
    called = names_of(source, main)
    written = Written(source, raw, _names(raw, inputs, outputs, called), inputs, initial=initial)
    given = _outputs(written, inputs, outputs, called)
    operators = source.operators()
    for index in operators:
        _require_known(source, index)
    for index in operators:
        _operator(written, index)
    for name, index in given:
        if written.names[index] != name:
            written.emit("Identity", [written.value(index)], [name], "output", {})
    _close(written)
    return written, _onnx(written, inputs, [name for name, _ in given])


def _close(written: Written) -> None:
    """Gives the next value of each state a name; what nobody assigns is a constant."""
    for current, now in list(written.states.items()):
        following = f"{current}/next"
        if now == current:
            written.constants[current] = written.initial[current]
            del written.states[current]
        elif now != following:
            written.emit("Identity", [now], [following], "state", {})
            written.states[current] = following


def _require_known(source: Source, index: int) -> None:
    """What cannot be is told before what another form of an operator would mend."""
    code, name, _ = source.operator(index)
    if rule_of(code) is None:
        raise UnsupportedError(f"{source.name}: {name}: {reason_of(code)}")


def _operator(written: Written, index: int) -> None:
    source = written.source
    code, name, table = source.operator(index)
    source.place = name
    inputs = source.indices(table.InputsAsNumpy(), len(written.raw), optional=True)
    outputs = source.indices(table.OutputsAsNumpy(), len(written.raw), optional=False)
    site = Site(written, name, inputs, outputs, table)
    rule = rule_of(code)
    assert rule is not None, "the operator is known"
    if kind_name(code) not in ("DEQUANTIZE", "DENSIFY"):
        site.require_floats()
    rule(site)


def _names(
    raw: list[RawTensor],
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    called: tuple[Mapping[int, str], Mapping[int, str]],
) -> list[str]:
    """A name of its own for each tensor; ends as the signature has them."""
    wanted = {i: called[1].get(i, raw[i].name) for i in outputs}
    wanted |= {i: called[0].get(i, raw[i].name) for i in inputs}
    names: list[str] = []
    taken = set(wanted.values())
    for index, tensor in enumerate(raw):
        name = wanted.get(index, tensor.name) or f"tensor.{index}"
        if index not in wanted and name in taken:
            name = f"{name}.{index}"
        taken.add(name)
        names.append(name)
    for index, name in enumerate(names):
        if names.index(name) != index:
            names[index] = f"{name}.{index}"
    return names


def _outputs(
    written: Written,
    inputs: tuple[int, ...],
    outputs: tuple[int, ...],
    called: tuple[Mapping[int, str], Mapping[int, str]],
) -> list[tuple[str, int]]:
    """Names of outputs and their tensors; one that is an input, or twice an output, has a copy."""
    found: list[tuple[str, int]] = []
    for index in outputs:
        name = called[1].get(index, written.names[index])
        if index in inputs or any(name == other for other, _ in found):
            name = f"{name}/output.{len(found)}"
        found.append((name, index))
    return found


def _onnx(written: Written, inputs: tuple[int, ...], outputs: list[str]) -> Any:
    onnx = library()
    helper = onnx.helper
    takes = []
    for index in inputs:
        raw = written.raw[index]
        kind = ONNX_TYPES.get(raw.type)
        if kind is None or raw.type == TensorType.BOOL:
            raise UnsupportedError(
                f"{written.source.name}: input {written.names[index]!r} is "
                f"{TYPE_NAMES.get(raw.type, raw.type)}; real numbers and int32 are taken"
            )
        signature = raw.table.ShapeSignatureAsNumpy()
        open_ = [] if isinstance(signature, int) else [int(n) for n in signature]
        shape = [n if n > 0 else None for n in open_] if open_ else list(raw.shape)
        takes.append(helper.make_tensor_value_info(written.names[index], kind, shape))
    for name in written.states:
        first = written.initial[name]
        takes.append(helper.make_tensor_value_info(name, 1, list(first.shape)))
    gives = [*outputs, *written.states.values()]
    graph = helper.make_graph(
        written.nodes,
        written.source.name,
        takes,
        [helper.make_empty_tensor_value_info(name) for name in gives],
        [
            onnx.numpy_helper.from_array(np.asarray(data, order="C"), name)
            for name, data in written.constants.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
