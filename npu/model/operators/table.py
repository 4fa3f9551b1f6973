"""Functions of one int8: a table of all their values."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from npu.errors import InputError, ModelError
from npu.model import int8_functions as functions
from npu.model.formula import Formula, answers, reason
from npu.model.graph import Graph, Quantization, quantization
from npu.model.int8_tables import logistic_table_int8, tanh_table_int8
from npu.model.quantisation import place
from npu.model.real import dequantized, quantized
from npu.model.references import Operand, Operator, Result
from npu.model.rules import require, unary

TABLE_SIZE = 256
"""Entries of a table: one for every int8."""

FIRST_ENTRY = -TABLE_SIZE // 2
"""The int8 whose entry is the first one."""


@dataclass(frozen=True)
class Tanh(Operator):
    """Hyperbolic tangent; the output has scale 1/128 and zero point 0."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class Logistic(Operator):
    """1 / (1 + exp(-x)); the output has scale 1/256 and zero point -128."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class LeakyRelu(Operator):
    """x where it is not negative, `alpha` x elsewhere; `alpha` is a finite float32."""

    input: Operand
    output: Result
    alpha: float


@dataclass(frozen=True)
class HardSwish(Operator):
    """x min(max(x + 3, 0), 6) / 6."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class Elu(Operator):
    """x where it is not negative, exp(x) - 1 elsewhere."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class Exp(Operator):
    """exp(x). TensorFlow Lite Micro has it of floats only: here as its ELU is, by a table."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class Abs(Operator):
    """|x|."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class Rsqrt(Operator):
    """1 / sqrt(x), and the largest int8 where x is not positive."""

    input: Operand
    output: Result


@dataclass(frozen=True)
class ViaReal(Operator):
    """As real numbers through a formula, and back."""

    input: Operand
    output: Result
    formula: Formula


@dataclass(frozen=True)
class Lookup(Operator):
    """A table that the model brings: `table[q + 128]`, 256 bytes that are int8.

    In TFLite it is a CAST to int32 and an ADD of 128, which make indices, and a GATHER.
    """

    input: Operand
    output: Result
    table: bytes = field(repr=False)


Function = Tanh | Logistic | LeakyRelu | HardSwish | Elu | Exp | Abs | Rsqrt | ViaReal | Lookup
"""An operator that this room holds."""


def verify(graph: Graph, op: Function) -> None:
    """An int8 activation, and another of its shape."""
    unary(graph, op.input, op.output)


def _fixed_output(denominator: int, zero_point: int) -> Callable[[Graph, Tanh | Logistic], None]:
    """The rule of a function whose output has one quantisation."""

    def rule(graph: Graph, op: Tanh | Logistic) -> None:
        unary(graph, op.input, op.output)
        found = quantization(graph.tensors[op.output])
        require(
            float(found.scale[0]) == 1 / denominator and found.zero_point == zero_point,
            f"its output must have scale 1/{denominator} and zero point {zero_point}, "
            f"not {found.scale[0]} and {found.zero_point}",
        )

    return rule


def verify_via_real(graph: Graph, op: ViaReal) -> None:
    """As `verify`, with a sound formula."""
    unary(graph, op.input, op.output)
    wrong = reason(op.formula)
    require(wrong is None, f"its formula: {wrong}")


def verify_leaky_relu(graph: Graph, op: LeakyRelu) -> None:
    """As `verify`, with a slope that is a number."""
    unary(graph, op.input, op.output)
    require(bool(np.isfinite(op.alpha)), f"its alpha must be finite, not {op.alpha}")


def verify_lookup(graph: Graph, op: Lookup) -> None:
    """As `verify`, with an entry for every int8."""
    unary(graph, op.input, op.output)
    require(
        len(op.table) == TABLE_SIZE,
        f"its table must have {TABLE_SIZE} entries, not {len(op.table)}",
    )


Make = Callable[[Quantization, Quantization], np.ndarray]


def _lookup_table(make: Make) -> Callable[[Graph, Function], np.ndarray]:
    """The parameters of a function: its table, (256,) int8, indexed by q + 128."""

    def parameters(graph: Graph, op: Function) -> np.ndarray:
        return _made(graph, op, make)

    return parameters


def leaky_relu_params(graph: Graph, op: LeakyRelu) -> np.ndarray:
    """The table of a LEAKY_RELU. Raises ModelError if the scales cannot be expressed."""
    return _made(graph, op, lambda a, b: functions.leaky_relu_table(a, b, op.alpha))


def lookup_params(graph: Graph, op: Lookup) -> np.ndarray:
    """The table that the operator holds."""
    return np.frombuffer(op.table, np.int8)


def via_real_params(graph: Graph, op: ViaReal) -> np.ndarray:
    """The table of a formula of reals. Raises ModelError where a value has no integer."""
    source, output = (quantization(graph.tensors[i]) for i in (op.input, op.output))
    every = np.arange(-128, 128, dtype=np.int8)
    real = dequantized(every, float(source.scale[0]), source.zero_point)
    where, values = place(graph, op), answers(op.formula, real)
    try:
        return quantized(where, values, float(output.scale[0]), output.zero_point, "int8")
    except InputError as error:
        raise ModelError(str(error)) from None


def _made(graph: Graph, op: Function, make: Make) -> np.ndarray:
    source, output = (quantization(graph.tensors[i]) for i in (op.input, op.output))
    try:
        return make(source, output)
    except ValueError as error:
        raise ModelError(f"{place(graph, op)}: its input: {error}") from None


def _of_input(make: Callable[[float, int], np.ndarray]) -> Make:
    return lambda source, output: make(float(source.scale[0]), source.zero_point)


def _exp_table(source: Quantization, output: Quantization) -> np.ndarray:
    return functions.float_table(source, output, functions.exp)


RULES: dict[type[Operator], Any] = {
    Tanh: _fixed_output(128, 0),
    Logistic: _fixed_output(256, -128),
    LeakyRelu: verify_leaky_relu,
    ViaReal: verify_via_real,
    Lookup: verify_lookup,
    **dict.fromkeys((HardSwish, Elu, Exp, Abs, Rsqrt), verify),
}
PARAMETERS: dict[type[Operator], Any] = {
    Tanh: _lookup_table(_of_input(tanh_table_int8)),
    Logistic: _lookup_table(_of_input(logistic_table_int8)),
    LeakyRelu: leaky_relu_params,
    ViaReal: via_real_params,
    Lookup: lookup_params,
    HardSwish: _lookup_table(functions.hard_swish_table),
    Elu: _lookup_table(functions.elu_table),
    Exp: _lookup_table(_exp_table),
    Abs: _lookup_table(functions.abs_table),
    Rsqrt: _lookup_table(functions.rsqrt_table),
}
