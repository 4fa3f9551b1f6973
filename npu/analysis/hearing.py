"""What a model hears in a set of utterances, on several processes.

Each utterance is heard by itself, so that nothing depends on how many processes there are.
"""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from npu.analysis.ties import TieCount, Ties
from npu.errors import AudioError, NpuError
from npu.pools import end_with_parent
from npu.speech.host import Speech
from npu.speech.lattice import closest
from npu.speech.nbest import confidences, score_a_word
from npu.speech.phrases import Beam, Engine
from npu.speech.spoken_sets import Utterance, words_of
from npu.speech.transcribe import transcribe
from npu.speech.whole import Emitted, call_seconds, hear_whole, word_calls

UTTERANCES_PER_PROCESS = 50
"""A process takes about as long to start as to hear so many."""

_CHUNK = 8


class Ear(NamedTuple):
    """What hears: phrases, or whole utterances, below `min_score` are nothing (`Spoken.score`).

    `ties` is shown what the engine's joiner gives; None where nobody counts.
    """

    speech: Speech
    engine: Engine | Beam
    min_score: float | None = None
    ties: Ties | None = None


@dataclass(frozen=True)
class Hearing:
    """What was heard in an utterance.

    Attributes
    ----------
    words : in lower case.
    seconds : of the sound.
    emitted : seconds after the beginning at which each word's last character came
        (`npu.speech.whole.call_seconds`); None where the set does not say when words end.
    phrases : how many with words, where nothing had to be understood; else None.
    notes : what was odd about the file.
    alternatives : the words of all texts that a beam has kept; None of a greedy search. sure : of
        each of `words`, its confidence (`npu.speech.nbest`); None likewise.
    scores : of each phrase with words, or of the utterance, as `Spoken.score`; None likewise.
    closest : of the texts in the lattice, the words of the one with the fewest errors; None where
        none was made. arcs : in it.
    ties : of the joiner's outputs; None where nobody counted.
    """

    words: tuple[str, ...]
    seconds: float
    emitted: tuple[float, ...] | None
    phrases: int | None
    notes: tuple[str, ...]
    alternatives: tuple[tuple[str, ...], ...] | None = None
    scores: tuple[float, ...] | None = None
    closest: tuple[str, ...] | None = None
    arcs: int = 0
    ties: TieCount | None = None
    sure: tuple[float, ...] | None = None


def hear(ear: Ear, utterance: Utterance, tail_seconds: float) -> Hearing:
    """One utterance: as a whole, with silence behind it.

    A sound without words is heard as `npu transcribe` hears a stream, in phrases: a transducer that
    has erred once in an utterance may keep quiet until its states are reset, which would hide what
    else it would have understood. Raises AudioError.
    """
    if ear.ties is None:
        return _hear(ear, utterance, tail_seconds)
    ear.ties.clear()
    heard = _hear(ear, utterance, tail_seconds)
    return replace(heard, ties=ear.ties.count)


def _hear(ear: Ear, utterance: Utterance, tail_seconds: float) -> Hearing:
    speech, engine, min_score = ear.speech, ear.engine, ear.min_score
    if not utterance.words:
        heard = transcribe(speech, engine, utterance.path, min_score=min_score)
        phrases = [phrase for phrase in heard.phrases if phrase.text]
        seconds = heard.samples / speech.rate
        found = tuple(phrase.score for phrase in phrases if phrase.score is not None)
        of_beam = isinstance(engine, Beam)
        return Hearing(
            words_of(heard.text),
            seconds,
            None,
            len(phrases),
            tuple(heard.notes),
            scores=found if of_beam else None,
        )
    emitted = hear_whole(speech, engine, utterance.path, tail_seconds)
    words = words_of(speech.tokens.decode(emitted.tokens))
    seconds = emitted.samples / speech.rate
    at = None if utterance.ends is None else _emission(speech, emitted)
    texts = emitted.alternatives
    others = tuple(words_of(each.text) for each in texts) if texts else None
    sure = None
    if others:
        shares = [each.probability for each in texts]
        sure = tuple(confidences(words, zip(others, shares, strict=True)))
    score, lattice = score_a_word(texts), emitted.lattice
    if min_score is not None and score is not None and score < min_score:
        words, at, sure = (), None if at is None else (), None
    return Hearing(
        words,
        seconds,
        at,
        None,
        tuple(emitted.notes),
        others,
        None if score is None else (score,),
        None if lattice is None else words_of(" ".join(closest(lattice, utterance.words))),
        0 if lattice is None else len(lattice.arcs),
        sure=sure,
    )


def _emission(speech: Speech, emitted: Emitted) -> tuple[float, ...]:
    calls = word_calls(speech.tokens, emitted.symbols)
    return tuple(call_seconds(speech, call) for call in calls)


def hear_set(
    utterances: Sequence[Utterance],
    opener: Callable[[], Ear],
    *,
    where: Path,
    tail_seconds: float,
    jobs: int,
    advance: Callable[[int], object] = lambda steps: None,
) -> list[Hearing]:
    """All utterances, in their order.

    Parameters
    ----------
    opener : makes what hears; called once in every process, so it must be a thing to pickle.
    where : the file of the set, for messages.
    jobs : processes, at least 1; with 1 this one does it.

    Raises AudioError with the line of the set, and NpuError where a process is ended from outside.
    """
    if jobs == 1:
        ear = opener()
        return _gathered((_heard(ear, each, where, tail_seconds) for each in utterances), advance)
    # Not forked: numba's and BLAS's threads do not survive that.
    with ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(opener, where, tail_seconds),
    ) as pool:
        try:
            with _uninterrupted():
                heard = pool.map(_next, utterances, chunksize=_CHUNK)
            return _gathered(heard, advance)
        except BrokenProcessPool as error:
            raise NpuError(
                "a process that heard the set was ended from outside, maybe for want of memory; "
                "try fewer with --jobs"
            ) from error
        finally:
            # What nobody waits for any more is not begun.
            pool.shutdown(cancel_futures=True)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """An interrupt waits for the end; processes that are started meanwhile never get one.

    Half a start would leave a process behind. This one is interrupted, and ends the others.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    # What is inherited. It does not keep an interrupt from other threads of this process.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        signal.signal(signal.SIGINT, handler)
    if came:
        signal.raise_signal(signal.SIGINT)


def _gathered(heard: Iterator[Hearing], advance: Callable[[int], object]) -> list[Hearing]:
    found = []
    for each in heard:
        found.append(each)
        advance(1)
    return found


def _heard(ear: Ear, utterance: Utterance, where: Path, tail_seconds: float) -> Hearing:
    try:
        return hear(ear, utterance, tail_seconds)
    except AudioError as error:
        raise AudioError(f"{where}: line {utterance.line}: {error}") from error


_own: tuple[Ear, Path, float]
"""Of a process of the pool."""


def _begin(opener: Callable[[], Ear], where: Path, tail_seconds: float) -> None:
    global _own
    end_with_parent()
    _own = opener(), where, tail_seconds


def _next(utterance: Utterance) -> Hearing:
    ear, where, tail_seconds = _own
    return _heard(ear, utterance, where, tail_seconds)
