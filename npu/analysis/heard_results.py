"""The schemas of what is heard: a chip over a stretch of sound, phrases, events."""

from typing import NotRequired, TypedDict

from npu.chip.summary import ChipSummary
from npu.chip.work import WorkReport


class StreamReport(WorkReport):
    """The chip over a stretch of sound.

    Attributes
    ----------
    mean_cycles, p99_cycles, max_cycles : of an encoder call, with the symbols it emitted.
    mean_ms, p99_ms, max_ms : the same as time.
    cycles, busy_ms : of all calls.
    real_time_factor : busy time over the sound's.
    powered_seconds : the longer of the two.
    idle_state : in which the chip waits for sound.
    energy_uj : by cause, and its "total"; an estimate, of the twin only.
    energy_uj_per_second : of the total, per second of sound.
    """

    mean_cycles: float
    p99_cycles: float
    max_cycles: float
    mean_ms: float
    p99_ms: float
    max_ms: float
    cycles: int
    busy_ms: float
    real_time_factor: float
    powered_seconds: NotRequired[float]
    idle_state: NotRequired[str]
    energy_uj: NotRequired[dict[str, float]]
    energy_uj_per_second: NotRequired[float]


class StreamChip(ChipSummary, StreamReport):
    """A chip and what it did over all files."""


class WordReport(TypedDict):
    """A word: see `npu.speech.stream.Word`."""

    text: str
    start: float
    end: float
    confidence: NotRequired[float]


class AlternativeReport(TypedDict):
    """A text that may have been said: see `npu.speech.nbest.Alternative`."""

    text: str
    score: float
    bonus: float
    probability: float


class PhraseReport(TypedDict):
    """A phrase: see `npu.speech.stream.Spoken`."""

    text: str
    tokens: list[int]
    start: float
    end: float
    times: list[float]
    words: list[WordReport]
    alternatives: NotRequired[list[AlternativeReport]]


class HeardReport(PhraseReport):
    """A line of `npu listen --json-lines`.

    Attributes
    ----------
    event : "partial", "speculative" when the phrase is taken to be over, or "final" when it has
        ended. phrase : its number, from 0.
    at : seconds of sound that had come.
    revises, resets : see `npu.speech.listen.Event`.
    """

    event: str
    phrase: int
    at: float
    revises: bool
    resets: bool


class FileReport(TypedDict):
    """A file of sound. `simulation_real_time_factor` is our time over the sound's."""

    file: str
    text: str
    tokens: list[int]
    phrases: list[PhraseReport]
    notes: list[str]
    audio_ms: float
    calls: int
    simulation_real_time_factor: float
    chip: NotRequired[StreamReport]


class ArcReport(TypedDict):
    """A word of a lattice: see `npu.speech.lattice.Arc`.

    Attributes
    ----------
    source, target : states. score, bonus : in nats, the first without the second.
    posterior : the share of the paths that lead through it, 0 to 1.
    start, end : seconds of the sound, as of a word.
    """

    source: int
    target: int
    word: str
    score: float
    bonus: float
    posterior: float
    start: float
    end: float


class EndReport(TypedDict):
    """A state in which a text may end, as the arc behind it would be."""

    state: int
    score: float
    bonus: float
    posterior: float


class LatticeReport(TypedDict):
    """What may have been said in a phrase: see `npu.speech.lattice.Lattice`.

    Attributes
    ----------
    name : of the sound with the phrase's number. states : how many; 0 is the start.
    paths : how many texts. total : the logarithm of their sum, in nats, bonuses included.
    arcs : each to a higher state.
    """

    name: str
    states: int
    paths: int
    total: float
    arcs: list[ArcReport]
    ends: list[EndReport]


class LatticesReport(TypedDict):
    """The file of `npu transcribe --lattice`."""

    lattices: list[LatticeReport]


class DecodingReport(TypedDict):
    """How a transducer was decoded; all but `method` of a beam alone.

    Attributes
    ----------
    method : "greedy" or "beam". active_paths, beam, one_symbol : as `npu.speech.beam.BeamRules`,
        where the second is `apart`.
    blank_penalty, temperature : as `npu.speech.scores.Scorer` takes them.
    hotwords : how many phrases were to be heard more readily.
    min_score : below which a phrase was nothing; None without one.
    lattice_labels : symbols that `npu.speech.ways` compares, where a lattice was made.
    """

    method: str
    active_paths: NotRequired[int]
    beam: NotRequired[float]
    one_symbol: NotRequired[bool]
    blank_penalty: NotRequired[float]
    temperature: NotRequired[float]
    hotwords: NotRequired[int]
    min_score: NotRequired[float | None]
    lattice_labels: NotRequired[int]


class TranscribeReport(TypedDict):
    """`npu transcribe`. `deadline_ms` is from one encoder call to the next."""

    model: str
    engine: str
    deadline_ms: float
    files: list[FileReport]
    peak_memory_mib: float
    chip: NotRequired[StreamChip]
    in_time: NotRequired[bool]
    end_seconds: NotRequired[float]
    decoding: NotRequired[DecodingReport]
