"""Placement of the weights: all resident, or two halves that are streamed through."""

import pytest

from compiler.passes import verify
from compiler.passes.weights import plan_weights
from npu.errors import CapacityError
from tests.compiler.passes.made import chip, matrix, module_of


def test_all_resident_where_everything_fits():
    module = module_of(matrix(50, 60, 1), matrix(60, 50, 20, seed=1))
    plan = plan_weights(module, chip())
    verify.weights(plan, chip())
    assert all(placed.resident for placed in plan.matrices.values())
    assert plan.stream_banks == (0, 0)
    banks = [tile.bank for placed in plan.matrices.values() for tile in placed.tiles]
    assert banks == sorted(set(banks))


def test_two_halves_where_not():
    params = chip(bank_bytes=1024)
    small, large = matrix(10, 20, 1), matrix(200, 60, 1, seed=1)
    plan = plan_weights(module_of(large, small), params)
    verify.weights(plan, params)
    assert plan.matrices[small].resident
    assert not plan.matrices[large].resident
    low, high = plan.stream_banks
    size = high - low
    assert 0 < high + size <= params.bank_bytes // params.bus_bytes
    first, second = plan.stream_records
    assert len(plan.constants) <= first < second
    assert all(len(tile.tile.records) <= second - first for tile in plan.matrices[large].tiles)
    assert all(tile.tile.bank_words <= size for tile in plan.matrices[large].tiles)
    assert second + (second - first) <= params.param_bytes


def test_too_many_columns():
    with pytest.raises(CapacityError, match=r"m: 1000 columns, .* 512 .activation_entries 512"):
        plan_weights(module_of(matrix(2, 1000, 1)), chip(activation_entries=512))
    wide = matrix(1, 65536, 1, density=0.001)
    with pytest.raises(CapacityError, match=r"m: 65536 columns, a lane .* takes 65535"):
        plan_weights(module_of(wide), chip(activation_entries=65536))


def test_parameter_memory_for_the_tables():
    matrices = [matrix(2, 40, 1, seed=i) for i in range(6)]
    with pytest.raises(CapacityError, match=r"code and look-up tables take \d+ bytes"):
        plan_weights(module_of(*matrices), chip(param_bytes=256))
