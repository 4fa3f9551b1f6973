"""A stream: any chunks at any rate give what a file gives, and phrases end where they ended."""

from dataclasses import replace

import numpy as np
import pytest
import soundfile

import npu
from compiler import load_model
from compiler.reference import search_of, speech_of
from npu.errors import AudioError, InputError, ModelError
from npu.speech.emission import emissions
from npu.speech.nbest import MOST_TEXTS
from npu.speech.resample import resample
from npu.speech.stream import Stream
from npu.speech.transcribe import ended, transcribe
from tests.sounds import RATE, joined

MODEL = "commands_rnnt"


@pytest.fixture(scope="module")
def recognizer() -> npu.Recognizer:
    return npu.Recognizer(MODEL)


@pytest.fixture(scope="module")
def sound(utterances) -> np.ndarray:
    """Four utterances with pauses, as int16."""
    samples = joined(utterances, 0.7)[: 12 * RATE]
    return np.rint(samples * 32_768).astype(np.int16)


def phrases_of(stream: Stream, chunks, rate=RATE):
    found = []
    for chunk in chunks:
        stream.accept_waveform(rate, chunk)
        found += ended(stream)
    stream.input_finished()
    found += ended(stream)
    return [*found, stream.result] if stream.result.tokens else found


def chunks_of(samples, seed, most):
    rng = np.random.default_rng(seed)
    cuts = np.cumsum(rng.integers(0, most, 4 * len(samples) // most))
    return np.split(samples, cuts[cuts < len(samples)])


@pytest.fixture(scope="module")
def whole(recognizer, sound):
    return phrases_of(recognizer.create_stream(), [sound])


@pytest.mark.parametrize(("seed", "most"), [(1, 700), (2, 9_000)])
def test_chunks_and_types_change_nothing(recognizer, sound, whole, seed, most):
    assert len(whole) == 5 and all(phrase.text for phrase in whole)
    for samples in (sound, sound / 32_768, (sound / 32_768).astype(np.float32)):
        assert phrases_of(recognizer.create_stream(), chunks_of(samples, seed, most)) == whole


@pytest.mark.parametrize("chip", [None, "edge"])
def test_a_beam_has_lattices(utterances, chip):
    """At the end of each phrase: its best path is the text, and so is the first alternative."""
    stream = npu.Recognizer(
        MODEL, chip, decoding_method="beam", num_active_paths=3, lattice=True
    ).create_stream()
    samples = joined(utterances, 0.7)[: 5 * RATE]
    stream.accept_waveform(RATE, samples)
    found, told = [], 0
    while stream.is_ready:
        stream.decode()
        told += stream.result.lattice is None
        if stream.is_endpoint:
            found.append(stream.result)
            stream.reset()
    assert len(found) >= 2 and told > 20
    for phrase in found:
        assert " ".join(arc.word for arc in phrase.lattice.best) == phrase.text
        assert phrase.alternatives[0].text == phrase.text
        assert len(phrase.alternatives) == min(phrase.lattice.paths, MOST_TEXTS)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"decoding_method": "modified_beam_search"}, "must be greedy or beam"),
        ({"decoding_method": "beam", "num_active_paths": 0}, "must be 1 to 64, not 0"),
        ({"lattice": True}, "lattice is of a beam"),
    ],
)
def test_what_a_recognizer_refuses(wrong, told):
    with pytest.raises(InputError, match=told):
        npu.Recognizer(MODEL, **wrong)


def test_a_file_gives_the_same(recognizer, sound, whole, tmp_path):
    for rate, name in ((RATE, "a.wav"), (44_100, "b.wav")):
        samples = resample(sound / 32_768, RATE, rate)
        soundfile.write(tmp_path / name, samples, rate, subtype="DOUBLE")
        stream = recognizer.create_stream()
        of_chunks = phrases_of(stream, chunks_of(samples, 3, 5_000), rate)
        model = npu.load(MODEL)
        heard = transcribe(speech_of(model), search_of(model), tmp_path / name)
        assert heard.phrases == of_chunks and heard.calls == stream.calls
        assert [p.text for p in of_chunks] == [p.text for p in whole]


def test_two_streams_do_not_disturb_each_other(recognizer, sound, whole):
    streams = [recognizer.create_stream() for _ in range(2)]
    found = [[], []]
    for chunk in np.split(sound, range(2_000, len(sound), 2_000)):
        for stream, phrases in zip(streams, found, strict=True):
            stream.accept_waveform(RATE, chunk)
            phrases += ended(stream)
    assert found[0] == found[1] == whole[: len(found[0])] and len(found[0]) >= 4


def test_the_twin_gives_the_same(sound, whole):
    stream = npu.Recognizer(MODEL, "edge").create_stream()
    first = sound[: 3 * RATE]
    assert phrases_of(stream, [first])[0] == whole[0]


def test_text_comes_while_it_is_said(recognizer, sound, whole):
    stream, texts = recognizer.create_stream(), []
    for chunk in np.split(sound, range(320, len(sound), 320)):
        stream.accept_waveform(RATE, chunk)
        while stream.is_ready and not stream.is_endpoint:
            stream.decode()
            texts.append((stream.seconds, stream.result.text))
        if stream.is_endpoint:
            break
    assert texts[-1][1] == whole[0].text
    said = [text for at, text in texts if text and at < whole[0].end]
    assert len(set(said)) > 3 and all(whole[0].text.startswith(text) for text in said)


def test_a_phrase_is_taken_to_be_over_before_its_end(recognizer, sound, whole):
    stream, over = recognizer.create_stream(), []
    stream.accept_waveform(RATE, sound)
    while not stream.is_endpoint:
        stream.decode()
        if stream.is_speculative_endpoint:
            over.append((stream.is_endpoint, stream.result.text))
    assert over == [*[(False, whole[0].text)] * 3, (True, whole[0].text)]
    stream.reset()
    assert not stream.is_speculative_endpoint


def test_an_end_stays_until_it_is_answered(recognizer, sound, whole):
    stream = recognizer.create_stream()
    stream.accept_waveform(RATE, sound)
    while not stream.is_endpoint:
        stream.decode()
    while stream.is_ready:
        stream.decode()
    assert stream.is_endpoint
    # Nobody has asked: what was said since then lies together.
    assert stream.result.text.startswith(f"{whole[0].text} {whole[1].text} ")
    stream.reset()
    assert stream.result.text == "" and stream.result.tokens == [] and stream.result.words == []


def test_a_reset_amid_a_phrase_begins_another(recognizer, sound, whole):
    stream = recognizer.create_stream()
    middle = round((whole[0].start + whole[0].end) / 2 * RATE)
    stream.accept_waveform(RATE, sound[:middle])
    while stream.is_ready:
        stream.decode()
    before = stream.result.text
    stream.reset()
    assert before and whole[0].text.startswith(before) and stream.result.text == ""
    stream.accept_waveform(RATE, sound[middle : 3 * RATE])
    assert next(ended(stream)).text not in (whole[0].text, "")


def test_words_and_symbols_have_their_times(whole):
    for phrase in whole:
        assert " ".join(word.text for word in phrase.words) == phrase.text
        assert phrase.times == sorted(phrase.times) and len(phrase.times) == len(phrase.tokens)
        times = [time for word in phrase.words for time in (word.start, word.end)]
        assert times == sorted(times) and phrase.start <= times[0]
        # Symbols come up to 0.36 s behind their sound.
        assert times[-1] <= phrase.end + 0.36


def test_nothing_is_kept_of_what_was_answered(recognizer, sound):
    stream = recognizer.create_stream()
    for _ in range(3):
        stream.accept_waveform(RATE, sound)
        assert list(ended(stream))
        search = stream._search
        assert not search.phrases and not stream._waiting and len(emissions(search._last)) < 40


def test_what_is_refused(recognizer):
    stream = recognizer.create_stream()
    with pytest.raises(InputError, match="no call is complete"):
        stream.decode()
    for wrong in (np.zeros((2, 3)), np.zeros(3, np.int32), np.array(1.0), ["a"]):
        with pytest.raises(InputError, match="must be a vector of floats"):
            stream.accept_waveform(RATE, wrong)
    for value in (np.nan, np.inf, 1e6):
        with pytest.raises(AudioError, match="a sample is"):
            stream.accept_waveform(RATE, np.array([0.0, value]))
    with pytest.raises(InputError, match="a stream has one rate"):
        stream.accept_waveform(8_000, np.zeros(10))
    for _ in range(2):
        with pytest.raises(AudioError, match="too short for one model call"):
            stream.input_finished()
    with pytest.raises(InputError, match="create another stream"):
        stream.accept_waveform(RATE, np.zeros(10))
    with pytest.raises(InputError, match="must be 1000 to 1000000"):
        recognizer.create_stream().accept_waveform(10, np.zeros(10))
    for seconds in (0, np.nan, np.inf, -1):
        with pytest.raises(InputError, match="end_seconds must be above 0"):
            npu.Recognizer(MODEL, end_seconds=seconds)
    with pytest.raises(ModelError, match="not a transducer"):
        npu.Recognizer("tests/vectors/tflite/joint.tflite")


class OfFrames:
    """An engine that gives four frames a call, a symbol in those that are told."""

    def __init__(self, says):
        self.says, self.at = says, 0

    def reset(self):
        self.at = 0

    restart = reset

    def accept_calls(self, features):
        first, self.at = self.at, self.at + 4 * len(features)
        return [self.says.get(frame, []) for frame in range(first, self.at)]


def test_times_are_exact_to_the_frame():
    """A call's seconds are those of its frames, one behind the other."""
    speech = replace(speech_of(load_model(MODEL)), frames_out=4)
    engine = OfFrames({5: [3], 6: [1], 7: [4], 20: [5]})
    stream = Stream(speech, engine, None)
    stream.accept_waveform(RATE, np.zeros(RATE))
    while stream.is_ready:
        stream.decode()
    each = speech.seconds_per_call / 4
    assert speech.seconds_per_frame == each
    # Up to which a frame has heard: the last one of call 0 when that is complete.
    ends = [stream.first_call_samples / RATE + (frame - 3) * each for frame in (5, 6, 7, 20)]
    assert stream.result.times == pytest.approx(ends, abs=1e-6)
    assert stream.result.words[0].start == pytest.approx(5 * each, abs=1e-6)
