"""Every model of the zoo says where it is from, and all of them together are small."""

import json
import shutil

import pytest

from npu import zoo
from npu.errors import ModelError
from npu.model.config import load_model_config
from npu.zoo.provenance import FILE_NAME, Outside, Trained, provenance

TRAINED = {"recipe": "commands", "seed": 3, "version": "0.1.0"}


@pytest.fixture
def copies(monkeypatch, tmp_path):
    """A zoo that may be changed."""
    for name in zoo.names():
        shutil.copytree(zoo.path(name), tmp_path / name)
    monkeypatch.setattr("npu.zoo._FOLDER", tmp_path)
    return tmp_path


def told(name: str):
    return load_model_config(zoo.path(name) / "model.json").provenance


def test_all_models_together_are_small():
    assert 0 < zoo.total_bytes() <= zoo.MOST_BYTES


def test_what_is_large_is_seen(copies):
    before = zoo.total_bytes()
    deep = copies / zoo.names()[0] / "deep"
    deep.mkdir()
    (deep / "weights.bin").write_bytes(bytes(zoo.MOST_BYTES - before + 1))
    assert zoo.total_bytes() == zoo.MOST_BYTES + 1


@pytest.mark.parametrize("name", zoo.names())
def test_every_model_has_provenance(name):
    found = provenance(zoo.path(name), told(name))
    assert found.problem is None and found.origin is not None
    assert found.made != "unknown"


def test_the_default_is_there():
    assert zoo.DEFAULT in zoo.names()


def test_a_file_that_is_not_as_it_came_is_told(copies):
    for name in zoo.names():
        if not (copies / name / FILE_NAME).exists():
            continue
        (copies / name / "tokens.txt").write_text("another")
        found = provenance(copies / name, told(name))
        assert isinstance(found.origin, Outside)
        assert found.problem == "tokens.txt: not as it came, by its SHA-256"
        (copies / name / "tokens.txt").unlink()
        assert provenance(copies / name, told(name)).problem == found.problem


@pytest.mark.parametrize(
    ("of_the_model", "beside", "problem"),
    [
        (None, None, "licence, sha256, source are missing"),
        ("a text", {"source": "a", "licence": "b"}, "sha256 is missing"),
        ({"source": "a", "licence": "", "sha256": {"a": "0" * 64}}, None, "licence is missing"),
        ({"source": "a", "licence": "b", "sha256": {}}, None, "sha256 is missing"),
        ({"source": "a", "licence": "b", "sha256": {"a": "0"}}, None, "sha256.a is missing or"),
        ({"recipe": "commands", "seed": 3}, None, "version is missing"),
        ({**TRAINED, "seed": "3"}, None, "seed is missing or wrong"),
        ({**TRAINED, "recipe_sha256": "0"}, None, "recipe_sha256 is missing or wrong"),
    ],
)
def test_what_is_missing_is_told(tmp_path, of_the_model, beside, problem):
    if beside is not None:
        (tmp_path / FILE_NAME).write_text(json.dumps(beside))
    found = provenance(tmp_path, of_the_model)
    assert found.origin is None and found.made == "unknown"
    assert found.problem is not None and problem in found.problem


def test_what_npu_train_says(tmp_path):
    found = provenance(tmp_path, {**TRAINED, "torch": "2.13.0"})
    assert isinstance(found.origin, Trained) and found.problem is None
    assert found.made == "npu train: recipe commands, seed 3, zeroskip 0.1.0"
    assert found.fields["torch"] == "2.13.0"
    # What is known only later stands beside.
    (tmp_path / FILE_NAME).write_text(json.dumps(TRAINED))
    assert provenance(tmp_path, {"training": "npu train"}).made == found.made


@pytest.mark.parametrize("text", ["{", "[]", '"a"', "[" * 100_000])
def test_a_file_that_is_no_object_is_refused(tmp_path, text):
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ModelError, match=FILE_NAME):
        provenance(tmp_path, None)
