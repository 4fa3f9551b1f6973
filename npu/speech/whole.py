"""A file as one utterance: states reset before it, every call run, silence behind it.

What `npu.speech.transcribe` adds, the ends of phrases, belongs to a stream. Whoever counts errors
of known utterances must not count those of finding where they begin.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npu.model.tokens import Tokens
from npu.speech.audio import require_samples, stream_audio
from npu.speech.emission import Emission, emissions
from npu.speech.extractor import Extractor
from npu.speech.host import Speech
from npu.speech.lattice import Lattice
from npu.speech.lattice_words import lattice_of
from npu.speech.nbest import Alternative, best, texts_told
from npu.speech.phrases import Beam, Engine, as_search, found_by

TAIL_SECONDS = 0.6
"""Of silence behind a file, in which the last symbols come: up to 0.36 s late from the zoo's model,
and up to 0.5 s late from one that was trained with that leave. It is zeros, as `transcribe` adds
them: any noise would be another one than the file's own, and would have to be drawn."""


@dataclass(frozen=True)
class Emitted:
    """What an engine made of a file.

    Attributes
    ----------
    symbols : of each call, the silence behind the file included.
    samples : of the file, at the model's rate, without the silence.
    notes : what was odd about the file.
    alternatives : all texts that a beam has kept, or the likeliest of its lattice, likeliest first;
        nothing of a greedy search.
    lattice : of a beam that was to make one; its times are numbers of the encoder's frames.
    """

    symbols: list[list[int]]
    samples: int
    notes: list[str]
    alternatives: list[Alternative] = field(default_factory=list)
    lattice: Lattice | None = None

    @property
    def tokens(self) -> list[int]:
        """Of all calls."""
        return [symbol for symbols in self.symbols for symbol in symbols]


def hear_whole(
    speech: Speech,
    engine: Engine | Beam,
    path: str | Path,
    tail_seconds: float = TAIL_SECONDS,
) -> Emitted:
    """Run a file and `tail_seconds` (0 and more) of zeros behind it; the engine is reset first.

    Raises AudioError for what is no sound, or too little of it for a call.
    """
    samples = 0
    notes: list[str] = []
    calls_run = 0
    search = as_search(engine)
    search.reset()
    last: Emission | None = None
    for count, calls in calls_of(
        speech.extractor(), path, speech.rate, tail_seconds, note=notes.append
    ):
        samples += count
        calls_run += len(calls)
        last = (search.accept_calls(calls) or [last])[-1]
    symbols: list[list[int]] = [[] for _ in range(calls_run)]
    found = found_by(search)
    lattice = lattice_of(found, speech.tokens)
    texts = texts_told(found, lattice, speech.tokens)
    if texts:
        string = best(found, texts, speech.tokens)
        emitted = list(zip(string.symbols, string.frames, strict=True))
    else:
        emitted = [(each.symbol, each.frame) for each in emissions(last)]
    for symbol, frame in emitted:
        symbols[frame // speech.frames_out].append(symbol)
    return Emitted(symbols, samples, notes, texts, lattice)


def calls_of(
    extractor: Extractor,
    path: str | Path,
    rate: int,
    tail_seconds: float = TAIL_SECONDS,
    *,
    note: Callable[[str], object] = lambda odd: None,
) -> Iterator[tuple[int, NDArray[np.int8]]]:
    """What an encoder is called with for a file and `tail_seconds` of zeros behind it.

    Parameters
    ----------
    extractor : a new one.
    path, rate : the file, and the model's rate in hertz.
    note : is told what was odd about the file.

    Yields
    ------
    Samples of the file, and the features of the calls that they complete; of the zeros at last.
    Raises AudioError for what is no sound, or too little of it for a call.
    """
    samples = 0
    for block in stream_audio(path, rate, note=note):
        samples += len(block)
        yield len(block), extractor.accept(block)
    require_samples(path, samples, extractor.first_call_samples, rate)
    yield 0, extractor.accept(np.zeros(round(tail_seconds * rate)))


def call_seconds(speech: Speech, call: int) -> float:
    """When call `call`, from 0, can begin: seconds of sound up to behind its window's last sample.

    The time of the calculation itself is not in it; that is what a chip is measured for.
    """
    extractor = speech.extractor()
    return (extractor.first_call_samples + call * extractor.samples_per_call) / speech.rate


def word_calls(tokens: Tokens, symbols: Sequence[Sequence[int]]) -> list[int]:
    """The call in which each word of what was emitted got its last character."""
    everything = [symbol for of_call in symbols for symbol in of_call]
    words = tokens.decode(everything).split()
    found: list[int] = []
    heard: list[int] = []
    for call, of_call in enumerate(symbols):
        heard += of_call
        if not of_call:
            continue
        so_far = tokens.decode(heard).split()
        while len(found) < min(len(so_far), len(words)) and (
            so_far[len(found)] == words[len(found)]
        ):
            found.append(call)
    return found
