"""Element-wise operators over int8 vectors."""

import numpy as np

from npu.jit import kernel
from npu.model.numerics import add_affine, mul_affine


@kernel
def add(a, b, params, output):
    """output[k] = a[k] + b[k], all flat int8; `params` are the fields of an `AddParams`."""
    for k in range(a.shape[0]):
        output[k] = add_affine(np.int64(a[k]), np.int64(b[k]), *params)


@kernel
def mul(a, b, params, output):
    """output[k] = a[k] * b[k], all flat int8; `params` are the fields of a `MulParams`."""
    for k in range(a.shape[0]):
        output[k] = mul_affine(np.int64(a[k]), np.int64(b[k]), *params)


def look_up(table: np.ndarray, source: np.ndarray, output: np.ndarray) -> None:
    """output[k] = table[source[k] + 128], all flat int8."""
    # The index wraps as an int8 read as a byte does, so no wider copy is made.
    np.take(table, source.view(np.uint8) ^ 0x80, out=output)
