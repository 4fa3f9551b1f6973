"""Two int8 activations become one, element by element."""

import numpy as np

from kernels.values import Step, Values
from npu.jit import kernel
from npu.model.numerics import add_affine, mul_affine
from npu.model.operators.binary import Add, AddParams, Maximum, Mul, MulParams


@kernel
def add(a, b, scale_a, scale_b, output_scale, output):
    """output[k] = a[k] + b[k], all flat int8; the scales as `numerics.add_affine` takes them."""
    for k in range(a.shape[0]):
        output[k] = add_affine(np.int64(a[k]), np.int64(b[k]), scale_a, scale_b, output_scale)


@kernel
def mul(a, b, params, output):
    """output[k] = a[k] * b[k], all flat int8; `params` are the fields of a `MulParams`."""
    for k in range(a.shape[0]):
        output[k] = mul_affine(np.int64(a[k]), np.int64(b[k]), *params)


@kernel
def maximum(a, b, output):
    """output[k] is the larger of a[k] and b[k], all flat int8."""
    for k in range(a.shape[0]):
        output[k] = max(a[k], b[k])


def prepare_add(values: Values, op: Add, params: AddParams) -> Step:
    """The sum of two tensors."""
    a, b, output = (values.flat(i) for i in (op.a, op.b, op.output))
    scale_a, scale_b, output_scale = (tuple(each) for each in params)
    return lambda: add(a, b, scale_a, scale_b, output_scale, output)


def prepare_mul(values: Values, op: Mul, params: MulParams) -> Step:
    """The product of two tensors."""
    a, b, output = (values.flat(i) for i in (op.a, op.b, op.output))
    plain = tuple(params)
    return lambda: mul(a, b, plain, output)


def prepare_maximum(values: Values, op: Maximum, params: None) -> Step:
    """The larger of two tensors' elements."""
    a, b, output = (values.flat(i) for i in (op.a, op.b, op.output))
    return lambda: maximum(a, b, output)


PREPARE = {Add: prepare_add, Mul: prepare_mul, Maximum: prepare_maximum}
