"""Two int8 operands become one activation, element by element."""

from collections.abc import Callable
from typing import Any

import numpy as np

from kernels.engines.program import PROGRAMS, SUM, Program
from kernels.values import Step, Values
from npu.jit import kernel
from npu.model.broadcast import broadcast_shape
from npu.model.numerics import (
    ADD_LEFT_SHIFT,
    INT8_MAX,
    INT8_MIN,
    add_affine,
    mul_affine,
    prelu_affine,
    scale_operand,
    squared_difference_affine,
    sub_affine,
)
from npu.model.operators.binary import (
    Add,
    AddParams,
    Binary,
    Maximum,
    Minimum,
    Mul,
    MulParams,
    Prelu,
    PreluParams,
    SquaredDifference,
    Sub,
)
from npu.model.operators.wide import WideBinary


@kernel
def add(a, b, scale_a, scale_b, output_scale, output):
    """output[k] = a[k] + b[k], all flat int8; the scales as `numerics.add_affine` takes them."""
    for k in range(a.shape[0]):
        output[k] = add_affine(np.int64(a[k]), np.int64(b[k]), scale_a, scale_b, output_scale)


@kernel
def sub(a, b, scale_a, scale_b, output_scale, output):
    """output[k] = a[k] - b[k]; see `add`."""
    for k in range(a.shape[0]):
        output[k] = sub_affine(np.int64(a[k]), np.int64(b[k]), scale_a, scale_b, output_scale)


@kernel
def squared_difference(a, b, scale_a, scale_b, output_scale, output):
    """output[k] = (a[k] - b[k])^2; see `add`."""
    for k in range(a.shape[0]):
        output[k] = squared_difference_affine(
            np.int64(a[k]), np.int64(b[k]), scale_a, scale_b, output_scale
        )


@kernel
def mul(a, b, params, output):
    """output[k] = a[k] * b[k], all flat int8 or int16; `params`: the fields of a `MulParams`."""
    for k in range(a.shape[0]):
        output[k] = mul_affine(np.int64(a[k]), np.int64(b[k]), *params)


@kernel
def prelu(a, b, params, output):
    """output[k] = a[k], or a[k] * b[k] where negative; `params`: fields of a `PreluParams`."""
    for k in range(a.shape[0]):
        output[k] = prelu_affine(np.int64(a[k]), np.int64(b[k]), *params)


def _operand(values: Values, index: int, common: tuple[int, ...]) -> tuple[np.ndarray, Step]:
    """An operand in the common shape, flat, and the step that fetches it."""
    if values[index].shape == common:
        return values.flat(index), lambda: None
    repeated = np.broadcast_to(values[index], common)
    copy = repeated.copy()
    if values.graph.tensors[index].is_constant:
        return copy.reshape(-1), lambda: None
    return copy.reshape(-1), lambda: np.copyto(copy, repeated)


def pair(
    values: Values, op: Binary | WideBinary, function: Callable[..., Any], *params: Any
) -> Step:
    """`function(a, b, *params, output)` on flat operands of the output's length."""
    common = broadcast_shape(values[op.a].shape, values[op.b].shape)
    (a, fetch_a), (b, fetch_b) = (_operand(values, i, common) for i in (op.a, op.b))
    output = values.flat(op.output)

    def step() -> None:
        fetch_a()
        fetch_b()
        function(a, b, *params, output)

    return step


def prepare_sum(values: Values, op: Add | Sub | SquaredDifference, params: AddParams) -> Step:
    """The sum, the difference, or its square, of two tensors."""
    if PROGRAMS and isinstance(op, Add) and values[op.a].shape == values[op.b].shape:
        return _sum_program(values, op, params)
    loop = {Add: add, Sub: sub, SquaredDifference: squared_difference}[type(op)]
    return pair(values, op, loop, *(tuple(each) for each in params))


def _sum_program(values: Values, op: Add, params: AddParams) -> Program:
    """A sum of operands of one shape: what each of 256 values adds is prepared as a table."""
    scales = (tuple(params.a), tuple(params.b))
    tables = np.array(
        [
            [scale_operand(q, ADD_LEFT_SHIFT, scale) for q in range(INT8_MIN, INT8_MAX + 1)]
            for scale in scales
        ],
        np.int32,
    )
    multiplier, shift, zero_point, lo, hi = params.output
    arrays = [values.flat(i) for i in (op.a, op.b, op.output)]
    left, right = max(shift, 0), max(-shift, 0)
    scale = [multiplier, left, right, zero_point, lo, hi]
    return Program([[SUM, arrays[0].size, tables, *arrays, *scale]])


def prepare_product(values: Values, op: Mul | Prelu, params: MulParams | PreluParams) -> Step:
    """The product of two tensors, perhaps only where the first is negative."""
    return pair(values, op, mul if isinstance(op, Mul) else prelu, tuple(params))


def prepare_choice(values: Values, op: Maximum | Minimum, params: None) -> Step:
    """The larger, or the smaller, of two tensors' elements."""
    choose = np.maximum if isinstance(op, Maximum) else np.minimum
    return pair(values, op, lambda a, b, output: choose(a, b, out=output))


PREPARE = {
    Add: prepare_sum,
    Sub: prepare_sum,
    SquaredDifference: prepare_sum,
    Mul: prepare_product,
    Prelu: prepare_product,
    Maximum: prepare_choice,
    Minimum: prepare_choice,
}
