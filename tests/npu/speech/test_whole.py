"""A file as one utterance: every call and the silence behind it, and when words come."""

import numpy as np
import pytest
import soundfile

from compiler import load_model
from compiler.reference import search_of, speech_of
from npu.errors import AudioError
from npu.model.tokens import Tokens
from npu.speech.whole import call_seconds, hear_whole, word_calls
from tests.sounds import RATE


@pytest.fixture(scope="module")
def ear():
    model = load_model("commands_rnnt")
    return speech_of(model), search_of(model)


def test_every_call_of_the_file_and_of_the_silence_is_run(ear, utterances):
    speech, engine = ear
    path = utterances / "test_fl_093.wav"
    with np.load(utterances / "test_fl_093.npz") as recorded:
        tokens, calls = recorded["tokens"].tolist(), len(recorded["features"])
    bare = hear_whole(speech, engine, path, 0)
    assert bare.tokens == tokens and len(bare.symbols) == calls
    assert bare.samples == soundfile.info(path).frames
    longer = hear_whole(speech, engine, path, 0.6)
    # A second time gives the same: states are reset.
    assert longer == hear_whole(speech, engine, path, 0.6)
    assert longer.symbols[:calls] == bare.symbols and longer.samples == bare.samples
    assert len(longer.symbols) == 1 + (bare.samples + 9600 - 1200) // 960


def test_what_comes_late_needs_the_silence(ear, utterances, wav):
    """Cut where the last word ends, its last letters come behind the sound's end."""
    speech, engine = ear
    samples, _ = soundfile.read(utterances / "test_fl_093.wav")
    bare = hear_whole(speech, engine, utterances / "test_fl_093.wav", 0)
    last = max(call for call, symbols in enumerate(bare.symbols) if symbols)
    cut = wav(samples[: round(call_seconds(speech, last - 1) * RATE)])
    assert speech.tokens.decode(hear_whole(speech, engine, cut, 0).tokens) != "turn up the radio"
    assert speech.tokens.decode(hear_whole(speech, engine, cut).tokens) == "turn up the radio"


def test_a_call_comes_with_its_last_sample(ear):
    speech, _ = ear
    extractor = speech.extractor()
    assert len(extractor.accept(np.zeros(1200 + 2 * 960))) == 3
    assert call_seconds(speech, 2) == (1200 + 2 * 960) / RATE
    assert len(speech.extractor().accept(np.zeros(1200 + 2 * 960 - 1))) == 2


def test_a_file_of_less_than_a_call_is_refused(ear, wav):
    with pytest.raises(AudioError, match="too short for one model call"):
        hear_whole(*ear, wav(np.zeros(1199)))


@pytest.mark.parametrize(
    ("symbols", "emitted", "calls"),
    [
        (["blk", "a", "b", "c", "space"], [[], [1], [2, 4], [3], [], [4]], [2, 3]),
        # Pieces that begin a word: a word is there with its last piece, not with the next one's.
        (["blk", "▁on", "e", "▁two", "<unk>"], [[1], [2], [4], [], [3]], [1, 4]),
        (["blk", "▁on", "e", "▁two", "<unk>"], [[1, 2, 3], [1]], [0, 0, 1]),
        # Bytes of one letter.
        (["blk", "<0xC3>", "<0xA9>", " "], [[1], [2], [3, 1], [2]], [1, 3]),
        (["blk", "a", " "], [[], [2], []], []),
    ],
)
def test_a_word_comes_with_its_last_character(symbols, emitted, calls):
    texts = [{"space": " "}.get(s, s.replace("▁", " ")) for s in symbols]
    assert word_calls(Tokens(tuple(texts)), emitted) == calls
