"""Grids from ranges: beside PyTorch's observers, and what holds of every grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.quantise.ranges import (
    Grid,
    bias_integers,
    bias_steps,
    cell_exponent,
    grid_of,
    integers_of,
    step_of,
    steps_of_rows,
)
from npu.errors import ModelError

values = st.floats(-1e6, 1e6, width=32)


@given(values, values)
def test_a_range_lies_on_its_grid(a, b):
    grid = grid_of(min(a, b), max(a, b))
    ends = np.array([min(a, b, 0), max(a, b, 0), 0], np.float32)
    if np.max(np.abs(ends)) < 1e-30:  # float32 has no steps below
        return
    found = grid.real(grid.quantised(ends))
    assert found[2] == 0
    assert np.all(np.abs(found - ends) <= 0.51 * grid.scale)


@pytest.mark.parametrize("seed", range(20))
def test_grids_are_those_of_pytorch(seed):
    """Its MinMaxObserver of int8; these ranges have no zero point at a half."""
    observers = pytest.importorskip("torch.ao.quantization.observer", reason="the extra `train`")
    torch = pytest.importorskip("torch", reason="the extra `train`")
    rng = np.random.default_rng(seed)
    lo, hi = np.sort(rng.normal(0, 3, 2).astype(np.float32) + rng.choice([-5, 0, 0, 5]))
    observer = observers.MinMaxObserver(torch.qint8, torch.per_tensor_affine)
    observer(torch.tensor([lo, hi]))
    scale, zero = observer.calculate_qparams()
    grid = grid_of(lo, hi)
    assert grid.scale == np.float32(scale.item())
    assert grid.zero_point == int(zero.item())


@pytest.mark.parametrize("most", [0.0, 0.3, 1.0, 1.01, 2.0, 10.0, 16.0, 64.0])
def test_a_cell_has_the_smallest_power_of_two(most):
    step = 2.0 ** cell_exponent(most)
    assert 32768 * step >= most
    assert most <= 1 or 32768 * step / 2 < most


def test_a_cell_of_the_zoo():
    """It is clipped at 10; the converter gave steps of 2**-11."""
    assert cell_exponent(10.0) == -11


@given(st.lists(st.floats(-4, 4, width=32), min_size=1, max_size=40))
def test_weights_come_back(weights):
    array = np.array([weights], np.float32)
    step = step_of(array)
    if step < 1e-30:
        return
    integers = integers_of(array, step.reshape(1))
    assert np.abs(integers).max() in (0, 127)
    assert np.all(np.abs(integers * step - array) <= 0.501 * step)
    # What lies on the grid already stays.
    np.testing.assert_array_equal(integers_of(integers * step, step.reshape(1)), integers)


def test_halves_go_to_even_and_ends_are_clipped():
    weights = np.array([[0.5, 1.5, 2.5, -0.5, -1.5, 126.6, 127.6, -128.0]], np.float32)
    found = integers_of(weights, np.ones(1, np.float32))
    assert found.tolist() == [[0, 2, 2, 0, -2, 127, 127, -127]]


def test_a_row_of_zeros_takes_the_largest_step():
    weights = np.array([[0, 0], [1.27, 0], [0, -2.54]], np.float32)
    np.testing.assert_allclose(steps_of_rows(weights), [0.02, 0.01, 0.02], rtol=1e-6)
    np.testing.assert_allclose(steps_of_rows(np.zeros((2, 2))), 1 / 127, rtol=1e-6)


def test_a_bias_beyond_int32_is_refused():
    steps = bias_steps(np.float32(0.01), np.array([1e-3, 1e-9], np.float32))
    bias = np.array([0.5, 0.5], np.float32)
    assert bias_integers(bias[:1], steps[:1], "x").tolist() == [50000]
    with pytest.raises(ModelError, match=r"dense4: the bias of row 1, 0\.5, has 5e\+10 steps"):
        bias_integers(bias, steps, "dense4")


@pytest.mark.parametrize(
    ("scale", "zero", "match"),
    [
        (0.0, 0, "scale must be a positive float32, not 0.0"),
        (np.nan, 0, "scale must be a positive float32, not nan"),
        (1.0, 128, "zero point must be -128 to 127, not 128"),
    ],
)
def test_no_grid(scale, zero, match):
    with pytest.raises(ModelError, match=match):
        Grid(np.float32(scale), zero)


def test_no_range():
    with pytest.raises(ModelError, match="a range must be finite, its least value first, not 2 to"):
        grid_of(2, 1)
    with pytest.raises(ModelError, match=r"from -3e\+38 to 3e\+38 has no grid .*; clip it"):
        grid_of(-3e38, 3e38)
    with pytest.raises(ModelError, match="a cell state of 65 is beyond 64"):
        cell_exponent(65)
