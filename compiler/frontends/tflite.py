"""TFLite flatbuffers to `npu.model.graph.Graph`, through the published schema classes.

The table of supported operators is data: an operator has a list of constraints, and a constraint's
docstring is both the line of the generated table and the text of the error.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tflite.ActivationFunctionType import ActivationFunctionType
from tflite.AddOptions import AddOptions
from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.FullyConnectedOptions import FullyConnectedOptions
from tflite.GatherOptions import GatherOptions
from tflite.Model import Model
from tflite.MulOptions import MulOptions
from tflite.TensorType import TensorType
from tflite.UnidirectionalSequenceLSTMOptions import UnidirectionalSequenceLSTMOptions

from compiler.frontends.forms import explanation, no_model, several
from npu.errors import ModelError, NpuError, UnsupportedError
from npu.files import read_file
from npu.model import graph as ir
from npu.text import printable

# The flatbuffers runtime checks nothing; on damaged offsets it raises whatever Python does.
_DAMAGE = (
    struct.error,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    TypeError,
    ValueError,
)

MAX_FILE_BYTES = 1 << 31
_MAX_ITEMS = 1 << 14
"""Most tensors, operators or buffers of a model; more is damage that would only cost time."""
_MAX_OPERANDS = 64
_MOST_SHOWN = 8
"""Subgraphs of a model whose operators are listed."""

_DTYPES = {TensorType.INT8: "int8", TensorType.INT16: "int16", TensorType.INT32: "int32"}
_ACTIVATIONS = {
    ActivationFunctionType.NONE: ir.Activation.NONE,
    ActivationFunctionType.RELU: ir.Activation.RELU,
    ActivationFunctionType.RELU6: ir.Activation.RELU6,
    ActivationFunctionType.RELU_N1_TO_1: ir.Activation.RELU_N1_TO_1,
}


def _names_of(enumeration: type) -> dict[int, str]:
    return {v: k for k, v in vars(enumeration).items() if isinstance(v, int)}


_OPERATOR_NAMES = _names_of(BuiltinOperator)
_TYPE_NAMES = _names_of(TensorType)
_ACTIVATION_NAMES = _names_of(ActivationFunctionType)


def read_tflite(path: str | Path) -> ir.Graph:
    """Read a fully quantised `.tflite` model.

    Parameters
    ----------
    path : the file; its name becomes the graph's name

    Raises
    ------
    ModelError
        If the file cannot be read, is damaged, or is not a legal graph.
    UnsupportedError
        If it is sound but asks for an operator, or a form of one, that is not in
        `supported_operators`.
    """
    path = Path(path)
    data = read_file(path, MAX_FILE_BYTES, ModelError, no_model, path.name)
    reader = _Reader(path.name, data)
    graph = reader.guarded(reader.read)
    ir.verify(graph)
    return graph


@dataclass(frozen=True)
class Verdict:
    """An operator of a model, and why it does not run here; None if it does."""

    name: str
    operands: str
    reason: str | None


def examine_tflite(path: str | Path) -> list[Verdict]:
    """Every operator of a `.tflite` model, whether it runs here or not.

    Those of several subgraphs are named with the number of theirs. Raises ModelError as
    `read_tflite` does.
    """
    path = Path(path)
    reader = _Reader(path.name, read_file(path, MAX_FILE_BYTES, ModelError, no_model, path.name))
    return reader.guarded(reader.verdicts)


def supported_operators() -> list[tuple[str, list[str]]]:
    """The table of supported operators: (name, constraints), sorted by name."""
    return sorted(
        (
            _OPERATOR_NAMES[code],
            [_text(constraint) for constraint in entry.all_constraints()],
        )
        for code, entry in _SUPPORTED.items()
    )


@dataclass(frozen=True)
class _RawTensor:
    """A tensor before it is known to be needed."""

    name: str
    shape: tuple[int, ...]
    type: int
    is_variable: bool
    is_constant: bool
    is_sparse: bool
    scales: int
    buffer: int
    table: Any


@dataclass(frozen=True)
class _Site:
    """An operator in its surroundings, as constraints see it. Absent inputs are -1.

    The model's own inputs are only known to the constraints of `_Entry.later`.
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Any
    tensors: list[_RawTensor]
    model_inputs: frozenset[int] = frozenset()

    def present(self) -> list[_RawTensor]:
        return [self.tensors[i] for i in (*self.inputs, *self.outputs) if i >= 0]

    def input(self, position: int) -> _RawTensor:
        return self.tensors[self.inputs[position]]

    def given(self, *positions: int) -> bool:
        return all(p < len(self.inputs) and self.inputs[p] >= 0 for p in positions)

    def activation(self) -> int:
        return 0 if self.options is None else self.options.FusedActivationFunction()


Constraint = Callable[[_Site], bool]


def _text(constraint: Constraint) -> str:
    return (constraint.__doc__ or "").strip()


def _not_compressed(site: _Site) -> bool:
    """tensors are not stored in TFLite's own sparse format"""
    return not any(t.is_sparse for t in site.present())


def _integer_types(site: _Site) -> bool:
    """tensors are int8, int16 or int32"""
    return all(t.type in _DTYPES for t in site.present())


def _one_output(site: _Site) -> bool:
    """there is one output"""
    return len(site.outputs) == 1 and site.outputs[0] >= 0


def _one_input(site: _Site) -> bool:
    """there is one input"""
    return len(site.inputs) == 1 and site.given(0)


def _two_inputs(site: _Site) -> bool:
    """there are two inputs"""
    return len(site.inputs) == 2 and site.given(0, 1)


def _input_with_shape(site: _Site) -> bool:
    """there is one input, and possibly a tensor of the new shape"""
    return len(site.inputs) in (1, 2) and site.given(0)


def _input_weights_bias(site: _Site) -> bool:
    """there are an input, weights, and possibly a bias"""
    return len(site.inputs) in (2, 3) and site.given(0, 1)


def _int8_data(site: _Site) -> bool:
    """inputs and outputs are int8"""
    return all(t.type == TensorType.INT8 for t in site.present())


def _int8_data_and_weights(site: _Site) -> bool:
    """input, weights and output are int8, the bias int32"""
    *data, output = (site.input(0), site.input(1), site.tensors[site.outputs[0]])
    bias = site.input(2).type if site.given(2) else TensorType.INT32
    return all(t.type == TensorType.INT8 for t in (*data, output)) and bias == TensorType.INT32


def _constant_weights(site: _Site) -> bool:
    """weights and bias are constant"""
    return site.input(1).is_constant and (not site.given(2) or site.input(2).is_constant)


def _plain_weights_format(site: _Site) -> bool:
    """weights are stored in the default order"""
    return site.options is None or site.options.WeightsFormat() == 0


def _clamping_activation(site: _Site) -> bool:
    """a fused activation is RELU, RELU6 or RELU_N1_TO_1"""
    return site.activation() in _ACTIVATIONS


def _same_shapes(site: _Site) -> bool:
    """both inputs have the same shape; nothing is broadcast"""
    return site.input(0).shape == site.input(1).shape


def _constant_int8_table(site: _Site) -> bool:
    """the table is a constant int8 matrix"""
    table = site.input(0)
    return table.is_constant and table.type == TensorType.INT8 and len(table.shape) == 2


def _int32_indices(site: _Site) -> bool:
    """the indices are int32"""
    return site.input(1).type == TensorType.INT32


def _whole_rows(site: _Site) -> bool:
    """whole rows are gathered (axis 0, no batch dimensions)"""
    if site.options is None:
        return True
    return site.options.Axis() in (0, -2) and site.options.BatchDims() == 0


_LSTM_INPUT_WEIGHTS = range(1, 5)
_LSTM_RECURRENT_WEIGHTS = range(5, 9)
_LSTM_PEEPHOLES = range(9, 12)
_LSTM_BIASES = range(12, 16)
_LSTM_PROJECTION = range(16, 18)
_LSTM_HIDDEN, _LSTM_CELL = 18, 19
_LSTM_LAYER_NORM = range(20, 24)


def _lstm_inputs(site: _Site) -> bool:
    """there are 24 inputs, with weights and biases of all four gates and both states"""
    return len(site.inputs) == 24 and site.given(
        0,
        *_LSTM_INPUT_WEIGHTS,
        *_LSTM_RECURRENT_WEIGHTS,
        *_LSTM_BIASES,
        _LSTM_HIDDEN,
        _LSTM_CELL,
    )


def _no_peephole(site: _Site) -> bool:
    """there are no peephole connections"""
    return not any(site.given(p) for p in _LSTM_PEEPHOLES)


def _no_projection(site: _Site) -> bool:
    """there is no projection"""
    return not any(site.given(p) for p in _LSTM_PROJECTION)


def _no_layer_norm(site: _Site) -> bool:
    """there is no layer normalisation"""
    return not any(site.given(p) for p in _LSTM_LAYER_NORM)


def _lstm_types(site: _Site) -> bool:
    """activations and weights are int8, biases int32, the cell state int16 (8x8->16)"""
    int8 = (0, *_LSTM_INPUT_WEIGHTS, *_LSTM_RECURRENT_WEIGHTS, _LSTM_HIDDEN)
    return (
        all(site.input(p).type == TensorType.INT8 for p in int8)
        and all(site.input(p).type == TensorType.INT32 for p in _LSTM_BIASES)
        and site.input(_LSTM_CELL).type == TensorType.INT16
        and site.tensors[site.outputs[0]].type == TensorType.INT8
    )


def _lstm_constant_weights(site: _Site) -> bool:
    """weights and biases are constant, and each weight matrix has one scale"""
    weights = (*_LSTM_INPUT_WEIGHTS, *_LSTM_RECURRENT_WEIGHTS)
    return all(site.input(p).is_constant for p in (*weights, *_LSTM_BIASES)) and all(
        site.input(p).scales == 1 for p in weights
    )


def _variable_states(site: _Site) -> bool:
    """hidden and cell state are variable tensors"""
    return site.input(_LSTM_HIDDEN).is_variable and site.input(_LSTM_CELL).is_variable


def _batch_first(site: _Site) -> bool:
    """the sequence is [1, time, features], not time-major"""
    shape = site.input(0).shape
    time_major = site.options is not None and site.options.TimeMajor()
    return not time_major and len(shape) == 3 and shape[0] == 1


def _tanh_cell(site: _Site) -> bool:
    """the activation of the cell is TANH"""
    return site.activation() == ActivationFunctionType.TANH


def _no_diagonal(site: _Site) -> bool:
    """recurrent weights are full matrices, not diagonals"""
    return site.options is None or not site.options.DiagonalRecurrentTensors()


def _no_constant_operand(site: _Site) -> bool:
    """no input is a constant"""
    return not any(site.input(p).is_constant for p in (0, 1))


def _no_constant_input(site: _Site) -> bool:
    """the input is not a constant"""
    return not site.input(0).is_constant


def _int8_input(site: _Site) -> bool:
    """the input is int8"""
    return site.input(0).type == TensorType.INT8


def _indices_from_host(site: _Site) -> bool:
    """the indices are an input of the model"""
    return site.inputs[1] in site.model_inputs


def _symmetric_weights(site: _Site) -> bool:
    """the zero point of the weights is 0"""
    return not _zero_point(site.input(1))


def _symmetric_lstm_weights(site: _Site) -> bool:
    """the zero point of the weights is 0"""
    weights = (*_LSTM_INPUT_WEIGHTS, *_LSTM_RECURRENT_WEIGHTS)
    return not any(_zero_point(site.input(p)) for p in weights)


def _zero_point(tensor: _RawTensor) -> bool:
    """Whether a tensor has a zero point other than 0."""
    quantization = tensor.table.Quantization()
    return quantization is not None and bool(np.any(quantization.ZeroPointAsNumpy()))


_COMMON: tuple[Constraint, ...] = (_integer_types, _not_compressed, _one_output)

_Read = TypeVar("_Read")

Build = Callable[[str, _Site, Callable[[int], int]], ir.Operator]


@dataclass(frozen=True)
class _Entry:
    """One line of the table: which form of an operator is supported, and how it is read.

    `tensor` in `build` turns an index of the file into one of the graph; what it is not asked for
    does not enter the graph. The constraints of `later` are those of the graph's rules and of the
    chip: they are listed with the others and told in verdicts, but do not keep a model from being
    read, as the kernels run some of what the chip does not.
    """

    constraints: tuple[Constraint, ...]
    build: Build
    options: tuple[int, Any] | None = None
    later: tuple[Constraint, ...] = ()

    def all_constraints(self) -> tuple[Constraint, ...]:
        return (*_COMMON, *self.constraints, *self.later)


def _build_fully_connected(name: str, site: _Site, tensor: Callable[[int], int]) -> ir.Operator:
    bias = tensor(site.inputs[2]) if site.given(2) else None
    return ir.FullyConnected(
        name,
        tensor(site.inputs[0]),
        tensor(site.inputs[1]),
        bias,
        tensor(site.outputs[0]),
        _ACTIVATIONS[site.activation()],
    )


def _build_lstm(name: str, site: _Site, tensor: Callable[[int], int]) -> ir.Operator:
    def gates(positions: range) -> Any:
        return tuple(tensor(site.inputs[p]) for p in positions)

    return ir.Lstm(
        name,
        tensor(site.inputs[0]),
        gates(_LSTM_INPUT_WEIGHTS),
        gates(_LSTM_RECURRENT_WEIGHTS),
        gates(_LSTM_BIASES),
        tensor(site.inputs[_LSTM_HIDDEN]),
        tensor(site.inputs[_LSTM_CELL]),
        tensor(site.outputs[0]),
        0.0 if site.options is None else float(site.options.CellClip()),
    )


def _build_gather(name: str, site: _Site, tensor: Callable[[int], int]) -> ir.Operator:
    return ir.Gather(name, *(tensor(i) for i in (*site.inputs, *site.outputs)))


def _build_binary(kind: type[ir.Add] | type[ir.Mul]) -> Build:
    def build(name: str, site: _Site, tensor: Callable[[int], int]) -> ir.Operator:
        a, b, output = (tensor(i) for i in (*site.inputs, *site.outputs))
        return kind(name, a, b, output, _ACTIVATIONS[site.activation()])

    return build


def _build_unary(kind: Callable[[str, int, int], ir.Operator]) -> Build:
    def build(name: str, site: _Site, tensor: Callable[[int], int]) -> ir.Operator:
        return kind(name, tensor(site.inputs[0]), tensor(site.outputs[0]))

    return build


def _unary(kind: Callable[[str, int, int], ir.Operator]) -> _Entry:
    constraints = (_one_input, _int8_data)
    return _Entry(constraints, _build_unary(kind), later=(_no_constant_input,))


_BINARY = (_two_inputs, _int8_data, _same_shapes, _clamping_activation)

_SUPPORTED: dict[int, _Entry] = {
    BuiltinOperator.ADD: _Entry(
        _BINARY,
        _build_binary(ir.Add),
        (BuiltinOptions.AddOptions, AddOptions),
        (_no_constant_operand,),
    ),
    BuiltinOperator.FULLY_CONNECTED: _Entry(
        (
            _input_weights_bias,
            _int8_data_and_weights,
            _constant_weights,
            _plain_weights_format,
            _clamping_activation,
        ),
        _build_fully_connected,
        (BuiltinOptions.FullyConnectedOptions, FullyConnectedOptions),
        (_symmetric_weights, _no_constant_input),
    ),
    BuiltinOperator.GATHER: _Entry(
        (_two_inputs, _constant_int8_table, _int32_indices, _whole_rows),
        _build_gather,
        (BuiltinOptions.GatherOptions, GatherOptions),
        (_indices_from_host,),
    ),
    BuiltinOperator.LOGISTIC: _unary(ir.Logistic),
    BuiltinOperator.MUL: _Entry(
        _BINARY,
        _build_binary(ir.Mul),
        (BuiltinOptions.MulOptions, MulOptions),
        (_no_constant_operand,),
    ),
    BuiltinOperator.QUANTIZE: _unary(ir.Quantize),
    BuiltinOperator.RELU: _unary(ir.Relu),
    BuiltinOperator.RELU6: _unary(ir.Relu6),
    BuiltinOperator.RESHAPE: _Entry(
        (_input_with_shape,),
        _build_unary(ir.Reshape),
        later=(_int8_input, _no_constant_input),
    ),
    BuiltinOperator.TANH: _unary(ir.Tanh),
    BuiltinOperator.UNIDIRECTIONAL_SEQUENCE_LSTM: _Entry(
        (
            _lstm_inputs,
            _no_peephole,
            _no_projection,
            _no_layer_norm,
            _lstm_types,
            _lstm_constant_weights,
            _variable_states,
            _batch_first,
            _tanh_cell,
            _no_diagonal,
        ),
        _build_lstm,
        (BuiltinOptions.UnidirectionalSequenceLSTMOptions, UnidirectionalSequenceLSTMOptions),
        (_symmetric_lstm_weights, _no_constant_input),
    ),
}


class _Reader:
    """One pass over a model. `place` says where it is, for the message about damage."""

    def __init__(self, name: str, data: bytes):
        self.name = name
        self.place = "header"
        self._data = data

    def guarded(self, read: Callable[[], _Read]) -> _Read:
        """What `read` gives. Raises ModelError with the place where damage makes it fail."""
        try:
            return read()
        except NpuError:
            raise
        except _DAMAGE as error:
            detail = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ModelError(
                f"{self.name}: damaged at its {self.place}: {detail:.120}; get the file again"
            ) from None

    def verdicts(self) -> list[Verdict]:
        """Every operator, and why it is refused; of many subgraphs those of the first."""
        count = self._subgraphs()
        verdicts = []
        for number in range(min(count, _MOST_SHOWN)):
            raw = self._open(number)
            where = f"subgraph {number}, " if count > 1 else ""
            inputs = self._indices(self._subgraph.InputsAsNumpy(), len(raw), optional=False)
            for i in range(self._count("operator", self._subgraph.OperatorsLength())):
                verdict = self._verdict(i, raw, frozenset(inputs))
                verdicts.append(replace(verdict, name=where + verdict.name))
        return verdicts

    def read(self) -> ir.Graph:
        if (count := self._subgraphs()) != 1:
            raise UnsupportedError(
                f"{self.name}: a model must have one subgraph, not {count}; "
                f"{printable(several(self._model))}"
            )
        raw = self._open(0)
        try:
            return self._read(raw)
        except UnsupportedError as error:
            what = explanation(self._model, self._subgraph)
            if what is None:
                raise
            reason = str(error).removeprefix(f"{self.name}: ")
            raise UnsupportedError(f"{self.name}: {what} ({reason})") from error

    def _subgraphs(self) -> int:
        """Open the file, and say how many subgraphs it has."""
        self._model = Model.GetRootAs(self._data, 0)
        subgraphs = self._count("subgraph", self._model.SubgraphsLength())
        if subgraphs == 0:
            raise self._damaged("it has no subgraph, so there is nothing to run")
        return subgraphs

    def _open(self, number: int) -> list[_RawTensor]:
        """Turn to a subgraph, and list its tensors."""
        self._subgraph = self._model.Subgraphs(number)
        self._buffers = self._count("buffer", self._model.BuffersLength())
        return [
            self._tensor(i) for i in range(self._count("tensor", self._subgraph.TensorsLength()))
        ]

    def _read(self, raw: list[_RawTensor]) -> ir.Graph:
        numbers: dict[int, int] = {}

        def number(index: int) -> int:
            return numbers.setdefault(index, len(numbers))

        operators = [
            self._operator(i, raw, number)
            for i in range(self._count("operator", self._subgraph.OperatorsLength()))
        ]
        self.place = "inputs and outputs"
        inputs, outputs = (
            tuple(number(i) for i in self._indices(vector, len(raw), optional=False))
            for vector in (self._subgraph.InputsAsNumpy(), self._subgraph.OutputsAsNumpy())
        )
        tensors = tuple(self._contents(index, raw[index]) for index in numbers)
        return ir.Graph(self.name, tensors, tuple(operators), inputs, outputs)

    def _damaged(self, what: str) -> ModelError:
        return ModelError(f"{self.name}: {self.place}: {what}")

    def _count(self, what: str, count: int) -> int:
        self.place = f"list of {what}s"
        # Every item takes an offset of four bytes.
        if count > min(_MAX_ITEMS, len(self._data) // 4):
            raise self._damaged(f"it claims {count} {what}s, more than the file can hold")
        return count

    def _indices(self, vector: Any, tensors: int, *, optional: bool) -> tuple[int, ...]:
        """A vector of tensor indices; the runtime gives 0 for an absent one."""
        if isinstance(vector, int):
            return ()
        if len(vector) > _MAX_OPERANDS:
            raise self._damaged(f"it claims {len(vector)} operands, at most {_MAX_OPERANDS} occur")
        for index in vector:
            if not (-1 if optional else 0) <= index < tensors:
                raise self._damaged(f"a tensor index must be below {tensors}, not {index}")
        return tuple(int(i) for i in vector)

    def _tensor(self, index: int) -> _RawTensor:
        self.place = f"tensor {index}"
        table = self._subgraph.Tensors(index)
        name = table.Name()
        buffer = table.Buffer()
        if buffer >= self._buffers:
            raise self._damaged(f"its buffer must be below {self._buffers}, not {buffer}")
        shape = table.ShapeAsNumpy()
        quantization = table.Quantization()
        is_variable = bool(table.IsVariable())
        contents = self._model.Buffers(buffer)
        if contents.Offset() > 1:
            raise UnsupportedError(
                f"{self.name}: {self.place}: contents stored outside of the flatbuffer "
                f"are not supported"
            )
        return _RawTensor(
            _printable((name or b"")[:200].decode("utf-8", "replace")),
            () if isinstance(shape, int) else tuple(int(d) for d in shape[: ir.MAX_RANK + 1]),
            table.Type(),
            is_variable,
            not is_variable and contents.DataLength() > 0,
            table.Sparsity() is not None,
            0 if quantization is None else quantization.ScaleLength(),
            buffer,
            table,
        )

    def _operator(
        self, index: int, tensors: list[_RawTensor], number: Callable[[int], int]
    ) -> ir.Operator:
        code, name, table = self._named(index)
        if code not in _SUPPORTED:
            names = ", ".join(name for name, _ in supported_operators())
            raise UnsupportedError(
                f"{self.name}: operator {index} {self._kind(code)} is not supported; "
                f"supported: {names}"
            )
        self.place = name
        site = self._site(table, code, tensors)
        if (reason := _refusal((*_COMMON, *_SUPPORTED[code].constraints), site)) is not None:
            raise UnsupportedError(
                f"{self.name}: {name} is not supported in this form; "
                f"what is: {reason}{_found(site)}"
            )
        return _SUPPORTED[code].build(name, site, number)

    def _verdict(
        self, index: int, tensors: list[_RawTensor], model_inputs: frozenset[int]
    ) -> Verdict:
        code, name, table = self._named(index)
        self.place = name
        site = replace(self._site(table, code, tensors), model_inputs=model_inputs)
        operands = ", ".join(_operand(t) for t in site.present()[:3])
        if len(site.present()) > 3:
            operands += ", ..."
        if code not in _SUPPORTED:
            return Verdict(name, operands, "not supported")
        reason = _refusal(_SUPPORTED[code].all_constraints(), site)
        return Verdict(name, operands, None if reason is None else f"what runs: {reason}")

    def _named(self, index: int) -> tuple[int, str, Any]:
        """Code, name and table of an operator."""
        self.place = f"operator {index}"
        table = self._subgraph.Operators(index)
        codes = self._model.OperatorCodesLength()
        if table.OpcodeIndex() >= codes:
            raise self._damaged(f"its code must be below {codes}, not {table.OpcodeIndex()}")
        code_table = self._model.OperatorCodes(table.OpcodeIndex())
        code = max(code_table.BuiltinCode(), code_table.DeprecatedBuiltinCode())
        return code, f"operator {index} ({self._kind(code, code_table)})", table

    def _kind(self, code: int, code_table: Any = None) -> str:
        kind = _OPERATOR_NAMES.get(code, f"number {code}")
        custom = None if code_table is None else code_table.CustomCode()
        return f"{kind} {_printable(custom.decode('utf-8', 'replace')[:40])}" if custom else kind

    def _site(self, table: Any, code: int, tensors: list[_RawTensor]) -> _Site:
        entry = _SUPPORTED.get(code)
        return _Site(
            self._indices(table.InputsAsNumpy(), len(tensors), optional=True),
            self._indices(table.OutputsAsNumpy(), len(tensors), optional=False),
            None if entry is None else self._options(table, entry),
            tensors,
        )

    def _options(self, table: Any, entry: _Entry) -> Any:
        if entry.options is None or table.BuiltinOptionsType() == BuiltinOptions.NONE:
            return None
        kind, options_class = entry.options
        if table.BuiltinOptionsType() != kind:
            raise self._damaged(f"its options must be of kind {kind}")
        union = table.BuiltinOptions()
        if union is None:
            return None
        options = options_class()
        options.Init(union.Bytes, union.Pos)
        return options

    def _contents(self, index: int, raw: _RawTensor) -> ir.Tensor:
        self.place = f"tensor {index} ({raw.name:.60})"
        if raw.type not in _DTYPES:
            kind = _TYPE_NAMES.get(raw.type, f"number {raw.type}")
            raise UnsupportedError(
                f"{self.name}: {self.place}: type {kind} is not supported; "
                f"quantise the model to int8"
            )
        dtype = _DTYPES[raw.type]
        data = None
        if raw.is_constant:
            contents = self._model.Buffers(raw.buffer).DataAsNumpy()
            size = int(np.dtype(dtype).itemsize)
            for dimension in raw.shape:
                size *= dimension
            if len(contents) != size or any(d <= 0 for d in raw.shape):
                raise self._damaged(
                    f"its contents must be {size} bytes for {dtype} {list(raw.shape)}, "
                    f"not {len(contents)}"
                )
            data = np.frombuffer(contents, np.dtype(dtype).newbyteorder("<"))
            # A copy is aligned and in the order of this machine.
            data = data.astype(dtype).reshape(raw.shape)
            data.flags.writeable = False
        return ir.Tensor(
            raw.name,
            raw.shape,
            dtype,
            self._quantization(raw.table.Quantization()),
            data,
            raw.is_variable,
        )

    def _quantization(self, table: Any) -> ir.Quantization | None:
        if table is None or table.ScaleLength() == 0:
            return None
        scale = table.ScaleAsNumpy().astype(np.float32)
        zero_points = table.ZeroPointAsNumpy()
        zero_point = 0
        if not isinstance(zero_points, int) and len(zero_points):
            if len(zero_points) not in (1, len(scale)) or np.any(zero_points != zero_points[0]):
                raise self._damaged(
                    f"its {len(scale)} scales must share one zero point, "
                    f"not {zero_points[:4].tolist()}"
                )
            zero_point = int(zero_points[0])
        scale.flags.writeable = False
        return ir.Quantization(scale, zero_point, table.QuantizedDimension())


def _printable(name: str) -> str:
    """A name fit for one line of a terminal, whatever the file holds."""
    return "".join(c if c.isprintable() else "?" for c in name)


def _refusal(constraints: tuple[Constraint, ...], site: _Site) -> str | None:
    """The first constraint that a supported operator does not fulfil."""
    for constraint in constraints:
        if not constraint(site):
            return _text(constraint)
    return None


def _operand(tensor: _RawTensor) -> str:
    return f"{_TYPE_NAMES.get(tensor.type, tensor.type)} {list(tensor.shape)}"


def _found(site: _Site) -> str:
    """What the operator has instead, as far as one line tells it."""
    return f" (found {', '.join(_operand(t) for t in site.present()[:4])})"
