"""Bounds of cycles from a graph alone."""

import numpy as np
import pytest

from compiler.frontends import read_tflite
from npu.analysis.bounds import bus_cycles, total_cycles, works
from npu.chip.params import load_params

EDGE = load_params("edge")


def test_a_product_is_bound_by_its_nonzeros(vectors):
    graph = read_tflite(vectors / "fc_wide.tflite")
    (work,) = works(graph)
    (op,) = graph.operators
    nonzeros = np.count_nonzero(graph.tensors[op.weights].data)
    assert (work.macs, work.rows, work.elements) == (nonzeros, 2048, 0)
    assert work.bound(EDGE) == nonzeros / EDGE.lanes
    assert bus_cycles(graph, EDGE) == (640 + 2048) / EDGE.bus_bytes
    assert total_cycles(graph, EDGE) == work.bound(EDGE) + bus_cycles(graph, EDGE)


def test_elements_are_those_of_the_larger_side(vectors):
    graph = read_tflite(vectors / "joint.tflite")
    found = {work.name.partition("(")[2]: work for work in works(graph)}
    assert found["TANH)"].elements == found["ADD)"].elements > 0
    assert found["ADD)"].cycles(EDGE)["vector"] == found["ADD)"].elements / EDGE.vector_elements


def test_an_lstm_counts_its_steps(vectors):
    graph = read_tflite(vectors / "lstm_small.tflite")
    work = works(graph)[0]
    steps = graph.tensors[graph.operators[0].input].shape[1]
    assert work.macs == work.weights * steps


def test_weights_that_do_not_stay_are_moved(vectors):
    graph = read_tflite(vectors / "fc_wide.tflite")
    small = load_params("tiny")
    (work,) = works(graph)
    assert bus_cycles(graph, small) == pytest.approx((640 + 2048 + work.weights) / small.bus_bytes)
