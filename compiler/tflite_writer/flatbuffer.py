"""The flatbuffer of a model, by the published schema's own builder functions."""

from typing import Any

import flatbuffers
import numpy as np
import tflite
from tflite.BuiltinOperator import BuiltinOperator

from compiler.tflite_writer.specs import TYPES, ModelSpec, OperatorSpec, Signature, TensorSpec


def _call(name: str, *args: Any) -> Any:
    return getattr(tflite, name)(*args)


def _stored(b: flatbuffers.Builder, value: Any) -> Any:
    """A value of an option; lists and strings are stored first."""
    if isinstance(value, list):
        return _vector(b, value, "<i4")
    return b.CreateString(value) if isinstance(value, str) else value


def _offsets(b: flatbuffers.Builder, start: str, offsets: list[int]) -> int:
    _call(start, b, len(offsets))
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return b.EndVector()


def _vector(b: flatbuffers.Builder, values: Any, dtype: str) -> int:
    return b.CreateNumpyVector(np.asarray(values, dtype).reshape(-1))


def _tensor(b: flatbuffers.Builder, spec: TensorSpec, index: int, buffer: int) -> int:
    name = b.CreateString(f"t{index}" if spec.name is None else spec.name)
    shape = _vector(b, spec.shape, "<i4")
    quantization = 0
    if spec.scale is not None:
        scales = np.atleast_1d(spec.scale)
        # A table may be there without vectors.
        scale = _vector(b, scales, "<f4") if len(scales) else 0
        zero_points = _vector(b, [spec.zero_point] * len(scales), "<i8") if len(scales) else 0
        tflite.QuantizationParametersStart(b)
        if len(scales):
            tflite.QuantizationParametersAddScale(b, scale)
            tflite.QuantizationParametersAddZeroPoint(b, zero_points)
        tflite.QuantizationParametersAddQuantizedDimension(b, spec.axis)
        quantization = tflite.QuantizationParametersEnd(b)
    tflite.TensorStart(b)
    tflite.TensorAddShape(b, shape)
    tflite.TensorAddType(b, TYPES[spec.dtype])
    # Buffer 0 is the empty one.
    tflite.TensorAddBuffer(b, 0 if spec.is_variable or spec.no_buffer else buffer)
    tflite.TensorAddName(b, name)
    if quantization:
        tflite.TensorAddQuantization(b, quantization)
    tflite.TensorAddIsVariable(b, spec.is_variable)
    tflite.TensorAddHasRank(b, True)
    return tflite.TensorEnd(b)


def _operator(b: flatbuffers.Builder, spec: OperatorSpec, index: int) -> int:
    inputs, outputs = _vector(b, spec.inputs, "<i4"), _vector(b, spec.outputs, "<i4")
    intermediates = _vector(b, spec.intermediates, "<i4") if spec.intermediates else 0
    options = custom = 0
    if isinstance(spec.options, bytes):
        custom = b.CreateByteVector(spec.options)
    elif spec.options is not None:
        kind, values = spec.options
        values = {name: _stored(b, value) for name, value in values.items()}
        _call(f"{kind}Start", b)
        for name, value in values.items():
            _call(f"{kind}Add{name}", b, value)
        options = _call(f"{kind}End", b)
    tflite.OperatorStart(b)
    tflite.OperatorAddOpcodeIndex(b, index)
    tflite.OperatorAddInputs(b, inputs)
    tflite.OperatorAddOutputs(b, outputs)
    if intermediates:
        tflite.OperatorAddIntermediates(b, intermediates)
    if custom:
        tflite.OperatorAddCustomOptions(b, custom)
    elif spec.options is not None:
        kind = str(spec.options[0])
        tflite.OperatorAddBuiltinOptionsType(b, getattr(tflite.BuiltinOptions, kind))
        tflite.OperatorAddBuiltinOptions(b, options)
    return tflite.OperatorEnd(b)


def write(spec: ModelSpec) -> bytes:
    """The flatbuffer of a model."""
    b = flatbuffers.Builder(1024)
    specs = [spec, *spec.others]
    buffers, first = [_buffer(b, None)], []
    for each in specs:
        first.append(len(buffers))
        buffers += [_buffer(b, tensor.data) for tensor in each.tensors]
    kinds = dict.fromkeys((op.kind, op.version) for each in specs for op in each.operators)
    code_of = {kind: number for number, kind in enumerate(kinds)}
    graphs: list[int] = []
    for each, at in zip(specs, first, strict=True):
        for _ in range(each.subgraphs):
            graphs.append(_subgraph(b, each, at, code_of))
    codes = [_code(b, *kind) for kind in kinds]
    signatures = [_signature(b, signature) for signature in spec.signatures]
    description = b.CreateString(spec.description) if spec.description else 0
    buffer_vector = _offsets(b, "ModelStartBuffersVector", buffers)
    code_vector = _offsets(b, "ModelStartOperatorCodesVector", codes)
    graph_vector = _offsets(b, "ModelStartSubgraphsVector", graphs)
    signature_vector = _offsets(b, "ModelStartSignatureDefsVector", signatures)
    tflite.ModelStart(b)
    tflite.ModelAddVersion(b, 3)
    tflite.ModelAddOperatorCodes(b, code_vector)
    tflite.ModelAddSubgraphs(b, graph_vector)
    tflite.ModelAddBuffers(b, buffer_vector)
    tflite.ModelAddSignatureDefs(b, signature_vector)
    if description:
        tflite.ModelAddDescription(b, description)
    b.Finish(tflite.ModelEnd(b), b"TFL3")
    return bytes(b.Output())


def _buffer(b: flatbuffers.Builder, contents: np.ndarray | None) -> int:
    data = 0
    if contents is not None:
        data = _vector(b, np.ascontiguousarray(contents).reshape(-1).view(np.uint8), "u1")
    tflite.BufferStart(b)
    if data:
        tflite.BufferAddData(b, data)
    return tflite.BufferEnd(b)


def _code(b: flatbuffers.Builder, kind: str, version: int) -> int:
    known = hasattr(BuiltinOperator, kind)
    code: int = getattr(BuiltinOperator, kind if known else "CUSTOM")
    name = 0 if known else b.CreateString(kind)
    tflite.OperatorCodeStart(b)
    tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127))
    tflite.OperatorCodeAddVersion(b, version)
    tflite.OperatorCodeAddBuiltinCode(b, code)
    if name:
        tflite.OperatorCodeAddCustomCode(b, name)
    return tflite.OperatorCodeEnd(b)


def _subgraph(
    b: flatbuffers.Builder, spec: ModelSpec, buffers: int, codes: dict[tuple[str, int], int]
) -> int:
    first = {id(t.data): i for i, t in reversed(list(enumerate(spec.tensors)))}
    tensors = [
        _tensor(b, t, i, buffers + (i if t.data is None else first[id(t.data)]))
        for i, t in enumerate(spec.tensors)
    ]
    operators = [_operator(b, o, codes[o.kind, o.version]) for o in spec.operators]
    tensor_vector = _offsets(b, "SubGraphStartTensorsVector", tensors)
    operator_vector = _offsets(b, "SubGraphStartOperatorsVector", operators)
    inputs, outputs = _vector(b, spec.inputs, "<i4"), _vector(b, spec.outputs, "<i4")
    name = b.CreateString(spec.name) if spec.name else 0
    tflite.SubGraphStart(b)
    tflite.SubGraphAddTensors(b, tensor_vector)
    tflite.SubGraphAddInputs(b, inputs)
    tflite.SubGraphAddOutputs(b, outputs)
    tflite.SubGraphAddOperators(b, operator_vector)
    if name:
        tflite.SubGraphAddName(b, name)
    return tflite.SubGraphEnd(b)


def _signature(b: flatbuffers.Builder, spec: Signature) -> int:
    key, sides = b.CreateString(spec.key), []
    for side, names in (("Inputs", spec.inputs), ("Outputs", spec.outputs)):
        maps = [_tensor_map(b, name, tensor) for name, tensor in names.items()]
        sides.append(_offsets(b, f"SignatureDefStart{side}Vector", maps))
    tflite.SignatureDefStart(b)
    tflite.SignatureDefAddInputs(b, sides[0])
    tflite.SignatureDefAddOutputs(b, sides[1])
    tflite.SignatureDefAddSignatureKey(b, key)
    tflite.SignatureDefAddSubgraphIndex(b, spec.subgraph)
    return tflite.SignatureDefEnd(b)


def _tensor_map(b: flatbuffers.Builder, name: str, tensor: int) -> int:
    text = b.CreateString(name)
    tflite.TensorMapStart(b)
    tflite.TensorMapAddName(b, text)
    tflite.TensorMapAddTensorIndex(b, tensor)
    return tflite.TensorMapEnd(b)
