"""The dense products of graphs, beside what Vela counts of the same files."""

from pathlib import Path

import numpy as np
import pytest

from compiler.bench.dense import Dense, dense_products
from compiler.frontends import read_tflite
from npu.analysis.bounds import works
from tests.tflite_builder import write
from tests.tflite_kinds import MAKERS

VECTORS = Path(__file__).parents[2] / "vectors"


def macs(path: Path) -> int:
    found = dense_products(read_tflite(path))
    return sum(times * product.macs for product, times in found.items())


def test_of_layers():
    wide = dense_products(read_tflite(VECTORS / "tflite" / "fc_wide.tflite"))
    assert wide == {Dense(1, 2048, 640): 1}
    several = dense_products(read_tflite(VECTORS / "tflite" / "fc_relu.tflite"))
    assert several == dict.fromkeys(
        (Dense(1, 48, 64), Dense(1, 32, 48), Dense(1, 10, 32)),
        1,
    )


@pytest.mark.parametrize("name", ["tflite/fc_wide", "tflite/fc_relu", "tflite/conv1d"])
def test_as_many_multiplications_as_vela_counts(name):
    pytest.importorskip("ethosu", reason="the extra `bench` is not installed")
    from compiler.bench.vela import PEERS, vela_report

    path = VECTORS / f"{name}.tflite"
    assert macs(path) == vela_report(path, PEERS["U55-128"])["macs"]


def test_of_convolutions():
    """No fewer than what is not multiplied by zero, and not much more of weights with few zeros."""
    path = VECTORS / "public" / "okay_nabu.tflite"
    nonzeros = sum(work.macs for work in works(read_tflite(path)))
    assert nonzeros <= macs(path) < 1.2 * nonzeros


def test_of_a_recurrent_layer():
    """Four gates, of which each multiplies inputs at once and the state step by step."""
    graph = read_tflite(VECTORS / "tflite" / "lstm_small.tflite")
    (op,) = (op for op in graph.operators if type(op).__name__ == "Lstm")
    units, inputs = graph.tensors[op.input_weights[0]].shape
    steps = graph.tensors[op.output].size // units
    found = dense_products(graph)
    assert found[Dense(steps, units, inputs)] >= 4
    assert found[Dense(1, units, units)] >= 4 * steps


@pytest.mark.parametrize(
    "kind", ["BATCH_MATMUL", "CONV_2D", "DEPTHWISE_CONV_2D", "SVDF", "TRANSPOSE_CONV"]
)
def test_every_kind_of_product_is_one(tmp_path, kind):
    path = tmp_path / "m.tflite"
    for seed in range(3):
        path.write_bytes(write(MAKERS[kind](np.random.default_rng(seed))))
        assert macs(path) > 0
