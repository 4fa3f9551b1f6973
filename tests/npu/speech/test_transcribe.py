"""A file to its phrases, on any engine and in any chunks."""

import numpy as np

from compiler import load_model
from compiler.reference import search_of
from compiler.reference import speech_of as speech_of_model
from npu.analysis.streaming import OnTwin
from npu.runtime.frontend import speech_of
from npu.runtime.image import Image
from npu.runtime.sessions import TransducerSession
from npu.speech.ends import COMMANDS
from npu.speech.levels import CallLevels
from npu.speech.phrases import Greedily, PhraseSearch
from npu.speech.transcribe import transcribe
from tests.sounds import RATE, joined, word_errors


def test_phrases_end_in_noise_that_never_rests(utterances, texts, wav):
    """Noise of another loudness every 60 ms: no stretch of it is quiet."""
    samples, rng = joined(utterances, 1), np.random.default_rng(5)
    levels = 10 ** (rng.uniform(-60, -42, len(samples) // 960 + 1) / 20)
    noise = rng.normal(0, 1, len(samples)) * np.repeat(levels, 960)[: len(samples)]
    model = load_model("commands_rnnt")
    heard = transcribe(speech_of_model(model), search_of(model), wav(samples + noise))
    found = [phrase.text for phrase in heard.phrases]
    assert len(found) == 13
    # The model is not made for so much noise; without an end, 58 of the 62 words are lost.
    assert word_errors(found, [texts[name] for name in sorted(texts)]) < 31


def test_every_engine_and_chunk_cuts_the_same_phrases(images, utterances):
    samples = joined(utterances, 0.5)[: 9 * RATE]
    model, image = load_model("commands_rnnt"), Image.load(images / "zoo.npu")
    speech = speech_of(image)
    extractor = speech.extractor()
    features = extractor.accept(samples)
    between = extractor.samples_per_call
    levels = np.array(CallLevels(extractor.first_call_samples, between, RATE).accept(samples))
    rule = COMMANDS.rule(speech.seconds_per_call)

    class Starts(TransducerSession):
        def accept_calls(self, features, calls_per_start=16):
            return super().accept_calls(features, calls_per_start)

    engines = [search_of(model), OnTwin(image), Starts(image)]
    answers = []
    for engine, size in zip(engines, (1, 7, len(features)), strict=True):
        search = PhraseSearch(Greedily(engine), rule, speech.scale, speech.zero_point)
        for at in range(0, len(features), size):
            search.accept(features[at : at + size], levels[at : at + size])
        answers.append((search.close(), search.calls))
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0][0]) == 4 and answers[0][1] < len(features)
