"""Folders of float models, symbol for symbol beside sherpa-onnx: what was read is what it runs."""

import lzma

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra `train` is not installed")
pytest.importorskip("onnxruntime", reason="the extra `onnx` is not installed")
pytest.importorskip("sherpa_onnx", reason="the extra `sherpa` is not installed")

from compiler.floats.samples import Samples
from compiler.frontends.onnx.transducer import quantise_transducer
from npu.model.tokens import tokens_of
from tests import nemo_encoders, streaming_encoders
from tests.beside_sherpa import RATE, Sherpa, calls_of, greedy
from tests.conftest import ROOT

SECONDS = 4
RECORDED = ROOT / "tests" / "vectors" / "float"
BINS = 24


def sound():
    """Three tones that come and go, in syllables."""
    rng = np.random.default_rng(9)
    time = np.arange(RATE * SECONDS) / RATE
    loud = np.maximum(0, np.sin(2 * np.pi * 2.7 * time)) ** 2
    tones = [np.sin(2 * np.pi * hz * time) for hz in (300, 900, 2200)]
    turns = [
        0.5 + 0.5 * np.sin(2 * np.pi * rate * time + at) for at, rate in enumerate((1, 0.6, 3))
    ]
    mixed = sum(tone * turn for tone, turn in zip(tones, turns, strict=True))
    return (0.2 * loud * mixed + rng.normal(0, 0.01, len(time))).astype(np.float32)


@pytest.mark.parametrize(
    ("form", "most", "seed"),
    [(streaming_encoders, 1, 1), (nemo_encoders, 10, 3)],
    ids=["icefall", "nemo"],
)
def test_the_same_symbols(tmp_path, form, most, seed):
    turned = form is nemo_encoders
    if turned:
        nemo_encoders.export(tmp_path, seed)
    else:
        # That a caller counts is the form that sherpa-onnx knows by its name.
        streaming_encoders.export(tmp_path, seed, counts=False)
    frames = Sherpa(tmp_path, form.BINS).frames(sound())
    calls = calls_of(frames, form.TAKEN, form.HOP)
    if turned:
        # Centred on what is heard here, so that symbols differ.
        nemo_encoders.export(tmp_path, seed, calls[len(calls) // 2].transpose(0, 2, 1))
    given = calls.transpose(0, 1, 3, 2) if turned else calls
    name = "audio_signal" if turned else "x"
    made = quantise_transducer(tmp_path, Samples({name: given}))
    symbols = tokens_of(made.files["tokens.txt"].decode(), "tokens.txt")
    ours = [symbols[each] for each in greedy(made.parts, calls, most)]
    theirs = Sherpa(tmp_path, form.BINS).heard(sound())
    print(f"\n{len(theirs)} symbols, {len(set(theirs))} of them different")
    assert len(set(theirs)) > 2
    # A stream that has ended hears some frames of a mirrored end more, and a call with them.
    assert theirs[: len(ours)] == ours and len(ours) > 0.9 * len(theirs)


@pytest.mark.parametrize(
    ("name", "taken", "hop"), [("zipformer_of_means", 39, 32), ("icefall_lstm", 9, 4)]
)
def test_the_same_symbols_of_a_recorded_folder(tmp_path, name, taken, hop):
    """icefall's first streaming Zipformer and its LSTM: sherpa-onnx knows states by metadata."""
    for path in (RECORDED / name).iterdir():
        data = path.read_bytes()
        packed = path.suffix == ".xz"
        (tmp_path / path.name.removesuffix(".xz")).write_bytes(
            lzma.decompress(data) if packed else data
        )
    frames = Sherpa(tmp_path, BINS).frames(sound())
    calls = calls_of(frames, taken, hop)
    made = quantise_transducer(tmp_path, Samples({"x": calls}))
    symbols = tokens_of(made.files["tokens.txt"].decode(), "tokens.txt")
    ours = [symbols[each] for each in greedy(made.parts, calls, 1)]
    theirs = Sherpa(tmp_path, BINS).heard(sound())
    print(f"\n{len(theirs)} symbols, {len(set(theirs))} of them different")
    assert len(set(theirs)) > 2
    assert theirs[: len(ours)] == ours and len(ours) > 0.9 * len(theirs)
