"""Parts of kernels: the same results as kernels, less to compile."""

import os
import subprocess
import sys

import numpy as np
import pytest

from npu.inner import InnerKernel
from npu.jit import inner_kernel, kernel
from tests.conftest import ROOT


@inner_kernel
def scaled(value, factor):
    if factor < 0:
        raise ValueError("a factor must not be negative")
    return np.int8(value) * np.int64(factor)


@inner_kernel
def add_scaled(values, factor, out):
    for i in range(len(values)):
        out[i] += scaled(values[i], factor)
    return len(values), factor


@kernel
def thrice(values, out):
    return add_scaled(values, 3, out)


@kernel
def both(values, factor, out):
    add_scaled(values, 2, out)
    return add_scaled(values, factor, out)


def test_parts_run_in_several_kernels():
    values, out = np.arange(-4, 4), np.zeros(8, np.int64)
    assert thrice(values, out) == (8, 3)
    assert both(values, 5, out) == (8, 5)
    assert out.tolist() == (10 * values).tolist()
    # Once for all factors, those that callers write out among them.
    assert isinstance(add_scaled, InnerKernel) and len(add_scaled.overloads) == 1


def test_errors_of_parts_are_those_of_kernels():
    with pytest.raises(ValueError, match="a factor must not be negative"):
        both(np.arange(4), -1, np.zeros(4, np.int64))


def test_a_part_is_interpreted_where_python_calls_it():
    out = np.zeros(2, np.int64)
    assert add_scaled(np.array([1, 2]), 7, out) == (2, 7)
    assert out.tolist() == [7, 14]


def test_a_part_without_a_compiler_is_the_function():
    script = "from npu.jit import inner_kernel; f = lambda x: x; assert inner_kernel(f) is f"
    env = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script], check=True, env=env)
