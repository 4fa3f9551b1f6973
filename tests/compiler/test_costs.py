"""What a matrix costs by itself is what it costs in a model: the twin counts the same cycles."""

import numpy as np
import pytest

import npu
from compiler import compile_model, load_model
from compiler.costs import bits, cycles, matrix_cost
from npu.chip.params import load_params
from npu.errors import CapacityError
from npu.runtime.sessions import GraphSession
from tests.conftest import ROOT
from tests.npu.twin.programs import chip

VECTORS = ROOT / "tests" / "vectors" / "tflite"


def sparse(seed, rows, columns, share):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-40, 41, (rows, columns)).astype(np.int8)
    return np.where(rng.random(weights.shape) < share, weights, 0).astype(np.int8)


@pytest.mark.parametrize("chip_name", ["edge", "tiny"])
def test_a_fully_connected_model_takes_the_cycles_of_its_matrices(chip_name):
    """Three layers, one of so few rows that its scales stand in its block."""
    name = "fc_relu"
    model, params = load_model(VECTORS / f"{name}.tflite"), load_params(chip_name)
    graph = model.graphs["main"]
    matrices = [graph.tensors[op.weights].data for op in graph.operators]
    session = GraphSession(compile_model(model, params))
    before = session.machine.counters.matvec_cycles
    inputs = np.load(VECTORS / f"{name}.npz")["input0"][0]
    session.invoke([inputs])
    counted = session.machine.counters.matvec_cycles - before
    calls = inputs.size // matrices[0].shape[1]
    assert counted == calls * sum(cycles(matrix, params) for matrix in matrices)
    layers = session.image.header.layers
    found = [layer.compressed_bits for layer in layers]
    assert found == [bits(matrix, params) for matrix in matrices]


def test_a_matrix_of_several_tiles():
    params = chip(bank_bytes=512)
    whole = sparse(1, 200, 64, 0.5)
    found = matrix_cost(whole, params)
    assert found == (bits(whole, params), cycles(whole, params))
    # A product that begins anew with every tile takes longer than on a chip that holds it.
    assert found.cycles > cycles(whole, chip())


def test_scales_of_its_own_take_no_cycle_of_a_row():
    """They come with the row's record; shared ones are loaded before, a cycle each."""
    matrix, params = sparse(2, 400, 16, 0.05), load_params("edge")
    own, shared = (cycles(matrix, params, row_scales) for row_scales in (True, False))
    assert shared - 1 <= own <= shared
    # As many scales as a block holds are shared.
    few = matrix[:16]
    assert 0 <= cycles(few, params) - cycles(few, params, row_scales=False) <= 16


def test_fewer_weights_cost_less():
    params = load_params("edge")
    costs = [matrix_cost(sparse(3, 128, 128, share), params) for share in (0.05, 0.3, 1.0)]
    assert costs == sorted(costs)
    assert costs[0].cycles < costs[1].cycles < costs[2].cycles


def test_what_has_no_cost():
    params = load_params("tiny")
    for wrong in (np.zeros((3, 3)), np.zeros(3, np.int8), [[1]], np.zeros((0, 3), np.int8)):
        with pytest.raises(ValueError, match="matrix"):
            cycles(wrong, params)
    with pytest.raises(CapacityError):
        cycles(sparse(4, 16, 4096, 1.0), chip(bank_bytes=1024))


def test_they_are_public():
    assert (npu.bits, npu.cycles) == (bits, cycles)
