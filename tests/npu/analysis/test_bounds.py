"""Bounds of cycles from a graph alone."""

import numpy as np
import pytest

from compiler.frontends import read_tflite
from npu.analysis.bounds import border_cycles, operator_bounds, total_cycles, works
from npu.chip.params import load_params

EDGE = load_params("edge")


def test_a_product_is_bound_by_its_nonzeros(vectors):
    graph = read_tflite(vectors / "fc_wide.tflite")
    (work,) = works(graph)
    (op,) = graph.operators
    nonzeros = np.count_nonzero(graph.tensors[op.weights].data)
    assert (work.macs, work.rows, work.elements) == (nonzeros, 2048, 0)
    (bounds,) = operator_bounds(graph, EDGE)
    assert bounds == {
        "lanes": nonzeros / EDGE.lanes,
        "requantiser": 2048,
        "vector": 0,
        "bus": 0,
    }
    assert border_cycles(graph, EDGE) == (640 + 2048) / EDGE.bus_bytes
    assert total_cycles(graph, EDGE) == nonzeros / EDGE.lanes + border_cycles(graph, EDGE)


def test_elements_are_those_of_the_larger_side(vectors):
    graph = read_tflite(vectors / "joint.tflite")
    found = {work.name.partition("(")[2]: work for work in works(graph)}
    assert found["TANH)"].elements == found["ADD)"].elements > 0
    bounds = found["ADD)"].cycles(EDGE, streamed=False)
    assert bounds["vector"] == found["ADD)"].elements / EDGE.vector_elements


def test_an_lstm_counts_its_steps(vectors):
    graph = read_tflite(vectors / "lstm_small.tflite")
    work = works(graph)[0]
    steps = graph.tensors[graph.operators[0].input].shape[1]
    assert work.macs == work.weights * steps


def test_weights_that_do_not_stay_are_moved(vectors):
    graph = read_tflite(vectors / "fc_wide.tflite")
    small = load_params("tiny")
    (work,) = works(graph)
    (bounds,) = operator_bounds(graph, small)
    assert bounds["bus"] == pytest.approx(work.weights / small.bus_bytes)
