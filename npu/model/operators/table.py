"""Functions of one int8: a table of all their values."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from npu.errors import ModelError
from npu.model.graph import Graph, quantization
from npu.model.int8_tables import logistic_table_int8, tanh_table_int8
from npu.model.quantisation import place
from npu.model.references import Operand, Operator, Result
from npu.model.rules import require, unary


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


def _lookup_table(
    make: Callable[[float, int], np.ndarray],
) -> Callable[[Graph, Tanh | Logistic], np.ndarray]:
    """The parameters of a function: its table, (256,) int8, indexed by q + 128."""

    def parameters(graph: Graph, op: Tanh | Logistic) -> np.ndarray:
        source = quantization(graph.tensors[op.input])
        try:
            return make(float(source.scale[0]), source.zero_point)
        except ValueError as error:
            raise ModelError(f"{place(graph, op)}: its input: {error}") from None

    return parameters


RULES = {Tanh: _fixed_output(128, 0), Logistic: _fixed_output(256, -128)}
PARAMETERS = {Tanh: _lookup_table(tanh_table_int8), Logistic: _lookup_table(logistic_table_int8)}
