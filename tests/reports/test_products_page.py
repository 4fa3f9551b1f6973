"""The page of sparse products shows the last run, of models that are what they are said to be."""

import json

import numpy as np
import pytest

from compiler.frontends import read_tflite
from reports import products


@pytest.fixture
def run():
    return json.loads(products.RUN.read_text(encoding="utf-8"))


def test_the_page_shows_the_last_run(run):
    assert products.PAGE.read_text(encoding="utf-8") == products.page(run), (
        "run: python -m reports.products --page"
    )
    wanted = [(*shape, zeros) for shape in products.SHAPES for zeros in products.ZEROS]
    assert [(p["rows"], p["columns"], p["zeros"]) for p in run["products"]] == wanted


def test_ours_is_faster_than_the_rivals_dense_product_from_many_zeros_on(run):
    for each in run["products"]:
        if each["zeros"] >= products.WANTED:
            assert products.faster(each) > 1, each


@pytest.mark.parametrize("zeros", [0.0, 0.75])
def test_a_model_has_so_many_zeros_in_every_row(tmp_path, zeros):
    path = tmp_path / "product.tflite"
    path.write_bytes(products.model_of(12, 64, zeros))
    graph = read_tflite(path)
    (weights,) = (t.data for t in graph.tensors if t.shape == (12, 64))
    assert (np.count_nonzero(weights, axis=1) == round(64 * (1 - zeros))).all()


def test_what_is_not_measured_is_told():
    absent = {"rows": 1, "columns": 1, "zeros": 0.7, "us": {"kernels": 1.0, products.RIVAL: None}}
    run = {"host": {"processor": "p", "system": "s", "versions": {}}, "products": [absent]}
    run["products"] = [absent | {"zeros": zeros} for zeros in products.ZEROS]
    assert "LiteRT was not measured." in products.page(run)
