"""A folder back as a trained network: what is written of it are the same files."""

from pathlib import Path

import pytest

from compiler import load_model
from compiler.train.export.reading import trained_of
from npu.errors import ModelError
from tests.trained_transducers import random_trained, written

FILES = "encoder.tflite", "decoder.tflite", "joiner.tflite"


@pytest.mark.parametrize("stateless", [False, True])
def test_it_is_written_as_it_was(stateless, tmp_path):
    model = written(random_trained(3, stateless), tmp_path / "first")
    written(trained_of(model), tmp_path / "again")
    for name in FILES:
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "first" / name).read_bytes()


def test_a_single_graph_is_refused():
    vectors = Path(__file__).parents[3] / "vectors" / "tflite"
    with pytest.raises(ModelError, match=r"fc_relu.* is a single graph, not a transducer"):
        trained_of(load_model(vectors / "fc_relu.tflite"))
