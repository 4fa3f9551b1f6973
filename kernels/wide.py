"""Elements of int16, two operands or one."""

import numpy as np

from kernels.binary import mul, pair
from kernels.values import Step, Values
from npu.jit import kernel
from npu.model.numerics import (
    saturate,
    saturating_add_int16,
    sigmoid_int16,
    tanh_int16,
)
from npu.model.operators.binary import MulParams
from npu.model.operators.wide import WideAdd, WideLogistic, WideMul, WideSub, WideTanh


@kernel
def add(a, b, output):
    """output[k] = a[k] + b[k], all flat int16, limited to it."""
    for k in range(a.shape[0]):
        output[k] = saturating_add_int16(np.int64(a[k]), np.int64(b[k]))


@kernel
def sub(a, b, output):
    """output[k] = a[k] - b[k], all flat int16, limited to it."""
    for k in range(a.shape[0]):
        output[k] = saturate(np.int64(a[k]) - np.int64(b[k]), -0x8000, 0x7FFF)


@kernel
def tanh(source, multiplier, shift, output):
    """output[k] = tanh(source[k]), both flat int16; see `numerics.tanh_int16`."""
    for k in range(source.shape[0]):
        output[k] = tanh_int16(np.int64(source[k]), multiplier, shift)


@kernel
def logistic(source, multiplier, shift, output):
    """output[k] = sigmoid(source[k]), both flat int16; see `numerics.sigmoid_int16`."""
    for k in range(source.shape[0]):
        output[k] = sigmoid_int16(np.int64(source[k]), multiplier, shift)


def prepare_sum(values: Values, op: WideAdd | WideSub, params: None) -> Step:
    """The sum or the difference of two tensors."""
    return pair(values, op, add if isinstance(op, WideAdd) else sub)


def prepare_product(values: Values, op: WideMul, params: MulParams) -> Step:
    """The product of two tensors."""
    return pair(values, op, mul, tuple(params))


def prepare_function(values: Values, op: WideTanh | WideLogistic, params: tuple[int, int]) -> Step:
    """A function of every element."""
    loop = tanh if isinstance(op, WideTanh) else logistic
    source, output = values.flat(op.input), values.flat(op.output)
    return lambda: loop(source, *params, output)


PREPARE = {
    WideAdd: prepare_sum,
    WideSub: prepare_sum,
    WideMul: prepare_product,
    WideTanh: prepare_function,
    WideLogistic: prepare_function,
}
