"""Sound as it comes to text as it changes: streams as sherpa-onnx's users know them.

stream = Stream(speech, engine)
while sound comes:
    stream.accept_waveform(16_000, samples)
    while stream.is_ready:
        stream.decode()
    show(stream.result.text)
    if stream.is_endpoint:
        stream.reset()
stream.input_finished()             # and once more: while stream.is_ready ...
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npu.errors import AudioError, InputError
from npu.speech.audio import PEAK_LIMIT, require_samples
from npu.speech.ends import COMMANDS, EndRule
from npu.speech.gate import Features
from npu.speech.host import Speech
from npu.speech.lattice import Lattice
from npu.speech.lattice_words import lattice_of
from npu.speech.levels import CallLevels
from npu.speech.nbest import (
    Alternative,
    best,
    confidences,
    score_a_word,
    texts_told,
)
from npu.speech.phrases import Beam, Engine, Phrase, PhraseSearch, as_search
from npu.speech.resample import Resampler


@dataclass(frozen=True)
class Word:
    """A word, and the seconds in which its symbols came: mostly behind its sound, by some 0.1 s.

    Words do not overlap; one may be of no length, where all its symbols came with those before.

    Attributes
    ----------
    confidence : 0 to 1, as `npu.speech.nbest` has it; None without alternatives.
    """

    text: str
    start: float
    end: float
    confidence: float | None = None


@dataclass(frozen=True)
class Spoken:
    """What was said, and between which seconds of the sound it was not quiet.

    Attributes
    ----------
    tokens : the symbols. times : of each, the second up to which the encoder's frame that gave it
        has heard; of several frames in a call, as if they came one after the other.
    words : likewise.
    alternatives : what a beam found, or the likeliest of its lattice, this text first; nothing of a
        greedy search, of a phrase that has not ended, and of several together.
    lattice : likewise, of a beam that was to make one; its times are seconds.
    """

    text: str
    tokens: list[int]
    start: float
    end: float
    times: list[float]
    words: list[Word]
    alternatives: list[Alternative] = field(default_factory=list)
    lattice: Lattice | None = None

    @property
    def score(self) -> float | None:
        """As `npu.speech.nbest.score_a_word` has it; None where a beam has not ended the phrase."""
        return score_a_word(self.alternatives)

    def is_below(self, min_score: float | None) -> bool:
        """Whether it is less likely than is asked for."""
        return min_score is not None and self.score is not None and self.score < min_score


class Stream:
    """One sound, from its begin to its end, on an engine of its own.

    Parameters
    ----------
    speech, engine : of one model; the engine, or the search, is reset.
    rule : when a phrase ends. None: the whole sound is one phrase, every call is run, and no
        silence is added at the end.
    told : as `npu.speech.phrases.PhraseSearch` takes it.
    name : of the sound, for errors.

    Attributes
    ----------
    samples : heard so far, at the model's rate.
    """

    def __init__(
        self,
        speech: Speech,
        engine: Engine | Beam,
        rule: EndRule | None,
        told: Callable[[int], None] | None = None,
        name: str = "stream",
    ) -> None:
        self._speech, self._name = speech, name
        self._extractor = speech.extractor()
        self._search = PhraseSearch(
            as_search(engine),
            rule,
            *speech.loudness,
            told,
            speech.tokens.end,
            speech.frames_out,
        )
        first, between = self._extractor.first_call_samples, self._extractor.samples_per_call
        self._levels = CallLevels(first, between, speech.rate)
        self._waiting: deque[tuple[Features, float]] = deque()
        self._resampler: Resampler | None = None
        self._finished = False
        # The calls in which the last sample is heard, and silence in which the last symbols come.
        quiet = speech.rule(COMMANDS).quiet_calls
        self._behind = first + quiet * between
        self._answered: int | None = None
        self.samples = 0

    @property
    def rate_hz(self) -> int:
        """The model's."""
        return self._speech.rate

    @property
    def first_call_samples(self) -> int:
        """Samples behind which the first encoder call is complete."""
        return self._extractor.first_call_samples

    @property
    def samples_per_call(self) -> int:
        """Samples from one encoder call to the next."""
        return self._extractor.samples_per_call

    @property
    def seconds_per_call(self) -> float:
        """Of sound, from one encoder call to the next."""
        return self._speech.seconds_per_call

    @property
    def calls(self) -> int:
        """Encoder calls that were run."""
        return self._search.calls

    @property
    def seconds(self) -> float:
        """Of sound that was accepted."""
        return self.samples / self._speech.rate

    def accept_waveform(self, sample_rate_hz: int, samples: ArrayLike) -> None:
        """Take the next samples.

        Parameters
        ----------
        sample_rate_hz : of these samples; the same for the whole stream, and resampled where it is
            not the model's.
        samples : (n,) floats of full scale [-1, 1), or int16.

        Raises
        ------
        InputError
            Another rate than before, samples of another type or shape, behind the end of the input.
        AudioError
            A sample that is not finite, or far beyond full scale.
        """
        if self._finished:
            raise InputError(f"{self._name}: its input has finished; create another stream")
        if self._resampler is None:
            try:
                self._resampler = Resampler(sample_rate_hz, self._speech.rate)
            except ValueError as error:
                raise InputError(f"{self._name}: {error}") from error
        elif self._resampler.from_hz != sample_rate_hz:
            raise InputError(
                f"{self._name}: samples at {sample_rate_hz} Hz behind such at "
                f"{self._resampler.from_hz} Hz; a stream has one rate"
            )
        self._hear(self._resampler.accept(self._in_floats(samples)))

    def input_finished(self) -> None:
        """No more samples come: from now on silence is heard, for as long as a phrase may need it.

        Raises AudioError for too little sound to call the encoder once.
        """
        if not self._finished and self._resampler is not None:
            self._hear(self._resampler.finish())
        self._finished = True
        needed = self._extractor.first_call_samples
        require_samples(self._name, self.samples, needed, self._speech.rate)

    @property
    def is_ready(self) -> bool:
        """Whether `decode` has something to run."""
        while not self._waiting and self._finished and self._search.is_open and self._behind > 0:
            count = self._extractor.samples_per_call
            self._behind -= count
            self._extract(np.zeros(count))
        return bool(self._waiting)

    def decode(self) -> None:
        """Run the next call. Raises InputError where none is ready."""
        if not self.is_ready:
            raise InputError(f"{self._name}: no call is complete; ask is_ready before decode")
        features, level = self._waiting.popleft()
        self._search.accept(features[np.newaxis], np.array([level]))

    @property
    def result(self) -> Spoken:
        """What was said since the begin, or since the last reset; a later one may differ."""
        phrases = list(self._search.phrases)
        over = self.is_speculative_endpoint or self.is_endpoint
        over = over or (self._finished and not self.is_ready)
        if (heard := self._search.heard(found=over)) is not None:
            phrases.append(heard)
        return self._spoken(phrases)

    @property
    def tokens(self) -> list[int]:
        """The symbols of `result`."""
        phrases = [*self._search.phrases, self._search.heard()]
        return [token for phrase in phrases if phrase is not None for token in phrase.tokens]

    @property
    def is_endpoint(self) -> bool:
        """Whether a phrase has ended since the last reset, by silence or as nothing comes."""
        search = self._search
        ended = search.has_ended and self._answered != search.restarts
        return ended or bool(search.phrases)

    @property
    def is_speculative_endpoint(self) -> bool:
        """Whether a phrase is taken to be over, before it has ended: `result` may be acted on, if
        that can be taken back where more comes.
        """
        return self._search.is_nearly_over

    def reset(self) -> None:
        """Begin the next phrase; the sound goes on."""
        search = self._search
        search.close()
        if search.has_ended:
            # It has begun already, with the next call that is run.
            self._answered = search.restarts
        else:
            search.restart()

    def _in_floats(self, samples: ArrayLike) -> NDArray[np.float64]:
        array = np.asarray(samples)
        if array.ndim != 1 or not (array.dtype == np.int16 or array.dtype.kind == "f"):
            raise InputError(
                f"{self._name}: samples must be a vector of floats (full scale 1.0) or int16, not "
                f"{array.dtype} of shape {array.shape}"
            )
        if array.dtype == np.int16:
            return array / 32_768.0
        wrong = ~(np.abs(array) <= PEAK_LIMIT)
        if wrong.any():
            raise AudioError(
                f"{self._name}: a sample is {array[wrong][0]:g}; samples must be finite, and full "
                "scale is 1.0"
            )
        return array.astype(np.float64)

    def _hear(self, samples: NDArray[np.float64]) -> None:
        self.samples += len(samples)
        self._extract(samples)

    def _extract(self, samples: NDArray[np.float64]) -> None:
        features, levels = self._extractor.accept(samples), self._levels.accept(samples)
        self._waiting.extend(zip(features, levels, strict=True))

    def _spoken(self, phrases: list[Phrase]) -> Spoken:
        lattice = self._lattice(phrases[0]) if len(phrases) == 1 else None
        known = [texts_told(phrase.found, lattice, self._speech.tokens) for phrase in phrases]
        phrases = [self._likeliest(*each) for each in zip(phrases, known, strict=True)]
        found = known[0] if len(known) == 1 else []
        tokens = [token for phrase in phrases for token in phrase.tokens]
        texts = [self._speech.tokens.decode(phrase.tokens) for phrase in phrases]
        words = [word for phrase in phrases for word in self._words(phrase)]
        if found:
            others = [(each.text.split(), each.probability) for each in found]
            sure = confidences([word.text for word in words], others)
            words = [replace(word, confidence=each) for word, each in zip(words, sure, strict=True)]
        per_call = self._speech.frames_out
        return Spoken(
            " ".join(text for text in texts if text),
            tokens,
            self._second(phrases[0].first_call * per_call) if phrases else self.seconds,
            self._second(phrases[-1].end_call * per_call) if phrases else self.seconds,
            [self._heard_at(frame) for phrase in phrases for frame in phrase.frames],
            words,
            found,
            lattice,
        )

    def _lattice(self, phrase: Phrase) -> Lattice | None:
        lattice = lattice_of(phrase.found, self._speech.tokens)
        if lattice is None:
            return None
        return lattice.timed(
            lambda frame: self._second(phrase.begin + frame),
            lambda frame: self._heard_at(phrase.begin + frame),
        )

    def _likeliest(self, phrase: Phrase, texts: list[Alternative]) -> Phrase:
        """With the likeliest text: several strings of one text may be likelier than the best."""
        if not texts:
            return phrase
        string = best(phrase.found, texts, self._speech.tokens)
        frames = tuple(phrase.begin + frame for frame in string.frames)
        return replace(phrase, tokens=string.symbols, frames=frames)

    def _words(self, phrase: Phrase) -> Iterator[Word]:
        behind = 0.0
        for text, first, last in self._speech.tokens.words(phrase.tokens):
            # In one frame a word may end and the next begin.
            start = max(behind, self._second(phrase.frames[first]))
            behind = max(start, self._heard_at(phrase.frames[last]))
            yield Word(text, start, behind)

    def _heard_at(self, frame: int) -> float:
        """The second up to which a frame of the encoder has heard."""
        extractor, per_call = self._extractor, self._speech.frames_out
        ahead = (frame + 1 - per_call) * extractor.samples_per_call / per_call
        samples = extractor.first_call_samples + ahead
        return round(min(samples / self._speech.rate, self.seconds), 6)

    def _second(self, frame: int) -> float:
        """Where a frame begins in the sound, without the silence behind it."""
        return round(min(frame * self._speech.seconds_per_frame, self.seconds), 6)
