"""The folder is written whole or not at all; networks that do not fit are named."""

from dataclasses import replace

import numpy as np
import pytest

from compiler import load_model
from compiler.train.export import Grid, TimeStack, write_transducer
from compiler.train.export import folder as folder_module
from npu.errors import ModelError, NpuError
from tests.trained_transducers import TOKENS, random_trained, small_frontend, written

GOOD = random_trained(0, False)


def with_layer(number, **changes):
    layers = list(GOOD.encoder)
    layers[number] = replace(layers[number], **changes)
    return replace(GOOD, encoder=tuple(layers))


def test_what_is_in_it(tmp_path):
    model = written(GOOD, tmp_path / "m")
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == [
        "decoder.tflite",
        "encoder.tflite",
        "joiner.tflite",
        "model.json",
        "tokens.txt",
    ]
    assert [p.name for p in tmp_path.iterdir()] == ["m"]
    assert model.tokens.symbols == TOKENS and model.config.provenance == {"seeded": True}
    assert load_model(tmp_path / "m").sources == model.sources


def test_the_same_network_gives_the_same_bytes(tmp_path):
    a, b = (written(random_trained(1, True), tmp_path / name) for name in "ab")
    assert a.sources == b.sources


def test_a_folder_that_is_there(tmp_path):
    first = written(GOOD, tmp_path / "m")
    (tmp_path / "m" / "notes.txt").write_text("kept")
    with pytest.raises(NpuError, match="m: is there already; name another folder"):
        written(random_trained(1, False), tmp_path / "m")
    assert load_model(tmp_path / "m").sources == first.sources
    second = write_transducer(
        tmp_path / "m", random_trained(1, False), TOKENS, small_frontend(), "n", None, replace=True
    )
    assert second.sources["encoder.tflite"] != first.sources["encoder.tflite"]
    assert (tmp_path / "m" / "notes.txt").read_text() == "kept"


def test_nothing_is_left_of_what_cannot_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_module, "write", lambda spec: b"no model")
    with pytest.raises(ModelError):
        written(GOOD, tmp_path / "m")
    assert list(tmp_path.iterdir()) == []


def test_a_front_end_that_does_not_fit(tmp_path):
    with pytest.raises(ModelError, match=r"encoder input is int8 \[1, 2, 12\], model.json makes"):
        write_transducer(tmp_path / "m", GOOD, TOKENS, small_frontend(13), "n", None)
    with pytest.raises(ModelError, match="there are 3 tokens for 9 symbols"):
        write_transducer(tmp_path / "m", GOOD, TOKENS[:3], small_frontend(), "n", None)
    assert list(tmp_path.iterdir()) == []


LSTM = GOOD.encoder[0]
BAD = {
    "encoder layer 1: input weights must be": with_layer(1, input_weights=LSTM.input_weights),
    "encoder layer 0: bias must be": with_layer(0, bias=LSTM.bias[:3]),
    "encoder layer 0: input steps must be above 0": with_layer(0, input_steps=0 * LSTM.input_steps),
    "encoder layer 0: bias: a value is not finite": with_layer(0, bias=LSTM.bias * np.nan),
    "encoder layer 0: the cell clip must be 0 or more": with_layer(0, cell_clip=-1.0),
    "encoder layer 0: the cell exponent must be -15 to -9, not -8": with_layer(0, cell_exponent=-8),
    "encoder layer 4: steps must be": with_layer(4, steps=np.ones(3, np.float32)),
    "encoder layer 2: 2 frames a call cannot be stacked by 3": with_layer(2, frames=3),
    "the encoder's last layer is a stack": replace(GOOD, encoder=GOOD.encoder[:3]),
    "the encoder has no layers": replace(GOOD, encoder=()),
    "encoder layer 0 must take the features": replace(GOOD, encoder=(TimeStack(2),)),
    "the encoder gives 2 frames a call": replace(GOOD, encoder=GOOD.encoder[:2]),
    "the encoder gives 24 values, the joiner takes 16": replace(GOOD, encoder=GOOD.encoder[:4]),
    "a call takes frames, not 0 of them": replace(GOOD, frames_per_call=0),
    "the predictor has no layers": replace(GOOD, predictor=replace(GOOD.predictor, layers=())),
    "the embedding has 9 symbols, the joiner gives 4": replace(
        GOOD,
        joiner=replace(
            GOOD.joiner,
            output=replace(
                GOOD.joiner.output,
                weights=GOOD.joiner.output.weights[:4],
                bias=None,
                steps=np.ones(1, np.float32),
            ),
        ),
    ),
    "dense4: the bias of row 0": with_layer(
        4, bias=np.full(16, 1e9, np.float32), output=Grid(np.float32(1))
    ),
}


@pytest.mark.parametrize("words", BAD)
def test_parts_that_do_not_fit(tmp_path, words):
    with pytest.raises(ModelError, match=words):
        write_transducer(tmp_path / "m", BAD[words], TOKENS, small_frontend(), "n", None)
    assert list(tmp_path.iterdir()) == []
