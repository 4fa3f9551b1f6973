"""Specs: which points they mean, and what is wrong with those that mean none."""

import shutil

import pytest

from npu.chip.params import load_params
from npu.errors import ParamsError
from npu.sweep.spec import read_spec
from tests.npu.sweep.conftest import VECTORS


@pytest.fixture
def spec(tmp_path):
    """Write a spec beside `layer.tflite`, and read its points."""
    shutil.copy(VECTORS / "fc_relu.tflite", tmp_path / "layer.tflite")

    def read(text):
        path = tmp_path / "spec.toml"
        path.write_text(text, encoding="utf-8")
        return read_spec(path)

    return read


def test_a_grid_is_every_combination(spec):
    points = spec(
        'models = ["layer.tflite"]\nframes = 2\n[grid]\nlanes = [8, 32]\n'
        "clock_mhz = {from = 100, to = 300, step = 100}\nenergy_pj.mac = [1, 0.5]\nbits = 4\n"
    )
    assert len(points) == 12
    assert [(p.chip["lanes"], p.chip["clock_mhz"]) for p in points[::2]] == [
        (lanes, clock) for lanes in (8, 32) for clock in (100.0, 200.0, 300.0)
    ]
    assert {p.chip["energy_pj"]["mac"] for p in points} == {1.0, 0.5}
    assert {p.thinning.bits for p in points} == {4} and {p.frames for p in points} == {2}
    assert len({p.key for p in points}) == 12
    edge = load_params("edge").model_dump(mode="json")
    assert all(p.chip["bank_bytes"] == edge["bank_bytes"] for p in points)


def test_grids_are_added_and_a_point_stands_once(spec):
    points = spec(
        'models = ["layer.tflite"]\nchip = ["tiny", "max"]\n'
        "[[grid]]\nbank_bytes = {from = 4096, to = 16384, times = 2}\n"
        "[[grid]]\nbank_bytes = [8192]\nbits = 8\n"
    )
    assert [p.chip["bank_bytes"] for p in points] == 2 * [4096, 8192, 16384]
    assert [p.chip["name"] for p in points] == 3 * ["tiny"] + 3 * ["max"]


def test_accuracy_is_that_of_weights_as_they_are(spec):
    points = spec(
        'models = [{model = "layer.tflite", name = "a", accuracy = 0.9}]\n[grid]\nbits = [8, 4]\n'
    )
    assert [(p.name, p.accuracy) for p in points] == [("a", 0.9), ("a", None)]


def test_a_model_of_several_signatures(spec, tmp_path):
    shutil.copy(VECTORS.parent / "refused" / "multisig.tflite", tmp_path / "two.tflite")
    (one, other) = spec(
        'models = [{model = "two.tflite", signature = "enc"}, '
        '{model = "two.tflite", signature = "dec", name = "b"}]'
    )
    assert (one.name, one.signature) == ("two.tflite enc", "enc")
    assert (other.name, other.signature) == ("b", "dec")
    assert one.sources == other.sources and one.key != other.key


def test_models_that_cannot_be_read_are_points_of_their_own(spec, tmp_path):
    for name in "ab":
        (tmp_path / f"{name}.tflite").write_bytes(b"")
    (one, other) = spec('models = ["a.tflite", "b.tflite"]')
    assert one.key != other.key


def test_a_value_that_no_chip_has_is_a_point_that_fails(spec):
    assert len(spec('models = ["layer.tflite"]\n[grid]\nlanes = [0, "x"]\n')) == 2


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("models = [", "not a readable TOML"),
        ("", "'models' is missing"),
        ('models = ["none.tflite"]', "no model 'none.tflite'"),
        ('models = ["layer.tflite"]\nlanes = 3', "'lanes' is unknown"),
        ('models = ["layer.tflite"]\nchip = "huge"', "'huge' is neither"),
        ('models = ["layer.tflite"]\n[grid]\nlane = 3', "grid 1: lane is no parameter"),
        ('models = ["layer.tflite"]\n[grid]\nlanes = []', "has no values"),
        ('models = ["layer.tflite"]\n[grid]\nlanes = [[1]]', "is no value"),
        ('models = ["layer.tflite"]\n[grid]\nlanes = {from = 1, to = 2}', "one of 'step'"),
        ('models = ["layer.tflite"]\n[grid]\nlanes = {from = 0, to = 2, times = 2}', "above 0"),
        ('models = ["layer.tflite"]\n[grid]\nlanes = {from = 1, to = 9, by = 1}', "'by' is unk"),
        ('models = ["layer.tflite"]\n[grid]\nlanes = {from = 1, to = 1e9, step = 1}', "larger"),
        ('models = ["layer.tflite"]\n[grid]\nbits = 9', "bits must be 2 to 8"),
        ('models = ["layer.tflite"]\n[grid]\nsparsity = "x"', "layer.tflite: "),
    ],
)
def test_what_is_wrong_is_said(spec, text, match):
    with pytest.raises(ParamsError, match=match):
        spec(text)
