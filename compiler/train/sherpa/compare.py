"""Texts of sherpa-onnx beside ours, on one network in floats, and why they differ where they do.

Each case is one of sherpa-onnx's loops and the search of ours that is nearest to it. Where texts
differ, ours is made again with one rule of theirs after the other, until the texts are equal: that
rule is the reason. What no rule explains is an error, of theirs or of ours.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.frontends.models import Model
from compiler.train.export.network import StatelessPredictor
from compiler.train.export.reading import trained_of
from compiler.train.sherpa.floats import FloatNetworks, FloatScorer
from compiler.train.sherpa.heads import HOP, Head, Heard, Spelt, heard_features, spell
from compiler.train.sherpa.parts import Loop
from compiler.train.sherpa.peer import VERSION, Said, Sherpa
from compiler.train.sherpa.results import CaseReport, SherpaReport
from compiler.train.sherpa.rules import Phrases, by_length, icefall_beam, nemo_beam
from npu.model.config import FrontendConfig, ModelConfig
from npu.model.tokens import Tokens
from npu.speech.audio import stream_audio
from npu.speech.beam import ACTIVE_PATHS, BeamRules, BeamSearch
from npu.speech.extractor import Extractor
from npu.speech.hotwords import Boost, Hotword
from npu.speech.kaldi import extractor_of
from npu.speech.scores import ONE
from npu.speech.search import GreedySearch, SearchRules
from npu.speech.spoken_sets import Utterance
from npu.speech.whole import TAIL_SECONDS, calls_of
from npu.speech.word_errors import align

NEMOS_MOST = 10
"""Symbols after which NeMo's loop in sherpa-onnx goes on to the next encoder output."""
PENALTY = 1.0
"""Nats; of the case with a blank penalty."""
_EXAMPLES = 5
_WIDE = 1e4
"""Nats: none of theirs is given up for being so much less likely than the best."""

Calls = NDArray[np.int8]
Symbols = tuple[int, ...]


@dataclass(frozen=True)
class Ours:
    """What a search of ours found: symbols, their calls, their scores in nats, if it has any."""

    symbols: Symbols
    calls: tuple[int, ...]
    scores: tuple[float, ...] = ()


Search = Callable[[Calls], Ours]
Reason = tuple[str, Callable[[Calls], Symbols]]


@dataclass(frozen=True)
class Case:
    """A loop of theirs and a search of ours.

    Attributes
    ----------
    name, search : of both, as they are told.
    reasons : rules of theirs, by which ours is made again.
    phrases : to be heard more readily, and nats a symbol.
    """

    name: str
    search: str
    loop: Loop
    head: Head
    ours: Search
    reasons: tuple[Reason, ...] = ()
    repeat: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    phrases: tuple[tuple[Symbols, float], ...] = ()


def compare(
    model: Model,
    utterances: Sequence[Utterance],
    hotwords: Sequence[Hotword] = (),
    done: Callable[[int], object] = lambda count: None,
) -> SherpaReport:
    """Run all cases.

    Parameters
    ----------
    model : a transducer, of whose integers the floats are made.
    utterances : what is heard; `done` is told of each in each case.
    hotwords : phrases to be heard more readily, in a case of their own.

    Raises ModelError for a single graph, and for networks that sherpa-onnx does not take.
    """
    found = [_compared(model, case, utterances, done) for case in cases(model, hotwords)]
    return {
        "model": model.name,
        "version": VERSION,
        "utterances": len(utterances),
        "cases": found,
    }


def count_of_cases(model: Model, hotwords: Sequence[Hotword] = ()) -> int:
    """How many `compare` runs. Raises what it raises."""
    return len(list(cases(model, hotwords)))


def cases(model: Model, hotwords: Sequence[Hotword] = ()) -> Iterator[Case]:
    """Those that a model has: icefall's loop takes a stateless predictor alone.

    Raises ModelError for a single graph, and for networks that sherpa-onnx does not take.
    """
    trained, config = trained_of(model), model.config
    assert config is not None, "trained_of takes transducers alone"
    networks = FloatNetworks(trained)
    most = config.max_symbols_per_frame

    def greedy(most: int) -> Search:
        return lambda calls: _greedy(networks, SearchRules(0, config.start_id, most), calls)

    several = f"greedy, at most {NEMOS_MOST} symbols a call"
    yield Case("NeMo's greedy search", several, "nemo", Spelt(), greedy(NEMOS_MOST))
    if isinstance(config.frontend, FrontendConfig) and Heard.takes(config.frontend):
        heard = Heard(config.frontend)
        yield Case("NeMo's greedy search of sound", several, "nemo", heard, greedy(NEMOS_MOST))
    yield _several_case(networks, config)
    if not isinstance(trained.predictor, StatelessPredictor):
        return
    for repeat in (most, 1):
        name = f"icefall's greedy search, {repeat} frame{'s' * (repeat > 1)} a call"
        search = f"greedy, at most {repeat} symbol{'s' * (repeat > 1)} a call"
        yield Case(name, search, "icefall", Spelt(), greedy(repeat), repeat=repeat)
    rules = SearchRules(0, config.start_id, most)
    yield _beam_case("", networks, rules)
    yield _beam_case(f", blank penalty {PENALTY:g}", networks, rules, PENALTY)
    if hotwords:
        assert model.tokens is not None, "trained_of takes transducers alone"
        boost = Boost(hotwords, model.tokens)
        phrases = {_spelt(each.phrase, model.tokens): each.weight for each in hotwords}
        yield _beam_case(", phrases", networks, rules, 0.0, boost, phrases)


def _several_case(networks: FloatNetworks, config: ModelConfig) -> Case:
    """NeMo's beam search, which takes whole utterances."""
    rules = SearchRules(0, config.start_id, NEMOS_MOST)
    beam = BeamSearch(networks, rules, FloatScorer(0), BeamRules(ACTIVE_PATHS, _WIDE))

    def theirs(calls: Calls) -> Symbols:
        return nemo_beam(networks, calls, ACTIVE_PATHS, NEMOS_MOST)

    return Case(
        "NeMo's modified beam search",
        f"beam of {ACTIVE_PATHS}, at most {NEMOS_MOST} symbols a call",
        "whole",
        Spelt(),
        partial(_beam, beam, scored=True),
        (("equal strings stay apart", theirs),),
        options={"decoding_method": "modified_beam_search", "max_active_paths": ACTIVE_PATHS},
    )


def _beam_case(
    name: str,
    networks: FloatNetworks,
    rules: SearchRules,
    penalty: float = 0.0,
    boost: Boost | None = None,
    phrases: Mapping[Symbols, float] | None = None,
) -> Case:
    beam = BeamSearch(
        networks,
        rules,
        FloatScorer(0, penalty),
        BeamRules(ACTIVE_PATHS, _WIDE, one_symbol=True),
        boost,
    )

    def ranked(calls: Calls) -> Symbols:
        _beam(beam, calls)
        return by_length((each.symbols, each.score) for each in beam.found)

    def theirs(calls: Calls) -> Symbols:
        known = Phrases(phrases or {})
        return icefall_beam(networks, calls, ACTIVE_PATHS, penalty, known)

    how = "cut before equal strings are one" if boost is None else "how a phrase adds"
    return Case(
        f"icefall's modified beam search{name}",
        f"beam of {ACTIVE_PATHS}, one symbol a call",
        "icefall",
        Spelt(),
        # The scores that sherpa-onnx tells leave the penalty out.
        partial(_beam, beam, scored=not penalty),
        (("ranked by score over length", ranked), (how, theirs)),
        options={
            "decoding_method": "modified_beam_search",
            "max_active_paths": ACTIVE_PATHS,
            "blank_penalty": penalty,
            "temperature_scale": 1.0,
        },
        phrases=tuple((phrases or {}).items()),
    )


def _spelt(phrase: str, tokens: Tokens) -> Symbols:
    """The symbols of a phrase that a `Boost` takes."""
    known = {symbol: number for number, symbol in enumerate(tokens.symbols)}
    cases = ([letter, letter.lower(), letter.upper()] for letter in phrase)
    return tuple(next(known[each] for each in of_letter if each in known) for of_letter in cases)


def _greedy(networks: FloatNetworks, rules: SearchRules, calls: Calls) -> Ours:
    found = GreedySearch(networks, rules).accept_calls(calls)
    symbols = tuple(symbol for of_call in found for symbol in of_call)
    return Ours(symbols, tuple(n for n, of_call in enumerate(found) for _ in of_call))


def _beam(beam: BeamSearch, calls: Calls, scored: bool = False) -> Ours:
    beam.reset()
    beam.accept_calls(calls)
    emitted = beam.hypotheses[0].emissions
    return Ours(
        tuple(each.symbol for each in emitted),
        tuple(each.frame for each in emitted),
        tuple((each.score or 0) / ONE for each in emitted) if scored else (),
    )


# --- a case ---------------------------------------------------------------------------------------
class _Ear:
    """Makes both sides' inputs of an utterance."""

    def __init__(self, model: Model, config: ModelConfig) -> None:
        self.trained = trained_of(model)
        self._config = config

    def calls(self, path: Path) -> Calls:
        """Ours, with silence behind it."""
        heard = calls_of(self._extractor(), path, self._config.frontend.sample_rate_hz)
        return np.concatenate([calls for _, calls in heard])

    def samples(self, path: Path, calls: int) -> NDArray[np.float32]:
        """Sound of as many calls, and a frame behind it, without which the last one waits."""
        rate, extractor = self._config.frontend.sample_rate_hz, self._extractor()
        wanted = extractor.first_call_samples + (calls - 1) * extractor.samples_per_call + HOP
        sound = np.concatenate(list(stream_audio(path, rate)))
        return np.pad(sound, (0, round(TAIL_SECONDS * rate) + HOP))[:wanted].astype(np.float32)

    def _extractor(self) -> Extractor:
        grid = self.trained.features
        frames = self.trained.frames_per_call
        return extractor_of(self._config.frontend, float(grid.scale), grid.zero_point, frames)


def _compared(
    model: Model, case: Case, utterances: Sequence[Utterance], done: Callable[[int], object]
) -> CaseReport:
    assert model.config is not None and model.tokens is not None, "a transducer"
    ear, tokens = _Ear(model, model.config), model.tokens
    report = _empty(case)
    counted: list[tuple[float, float]] = []
    with TemporaryDirectory(prefix="sherpa-") as place:
        sherpa = Sherpa(
            Path(place) / "network",
            ear.trained,
            tokens.symbols,
            case.loop,
            case.head,
            case.repeat,
            case.phrases,
            **case.options,
        )
        for each in utterances:
            calls, reasons = ear.calls(each.path), case.reasons
            if isinstance(case.head, Heard):
                samples = ear.samples(each.path, len(calls))
                frames = sherpa.frames(samples, len(calls) * case.head.frames(ear.trained))
                theirs = heard_features(case.head, ear.trained, frames)
                counted.append(_near(calls, theirs))
                reasons = (("its own features", partial(_of, case.ours, theirs)),)
            else:
                samples = spell(calls)
            _count(report, tokens, each, case.ours(calls), sherpa.hear(samples), calls, reasons)
            done(1)
    if counted:
        equal, near = np.mean(counted, axis=0).tolist()
        report["features"] = equal, near
    return report


def _of(search: Search, heard: Calls, calls: Calls) -> Symbols:
    """What a search finds in features that were heard, whatever we have heard."""
    return search(heard).symbols


def _empty(case: Case) -> CaseReport:
    return {
        "case": case.name,
        "search": case.search,
        "equal": 0,
        "reasons": {},
        "unexplained": 0,
        "calls": 0,
        "apart": None,
        "errors": 0,
        "their_errors": 0,
        "words": 0,
        "features": None,
        "examples": [],
    }


def _near(ours: Calls, theirs: Calls) -> tuple[float, float]:
    apart = np.abs(ours.astype(int) - theirs.astype(int))
    return float(np.mean(apart == 0)), float(np.mean(apart <= 1))


def _count(
    report: CaseReport,
    tokens: Tokens,
    utterance: Utterance,
    ours: Ours,
    theirs: Said,
    calls: Calls,
    reasons: Sequence[Reason],
) -> None:
    """Add an utterance."""
    text, said = tokens.decode(ours.symbols), list(utterance.words)
    report["words"] += len(said)
    report["errors"] += align(said, text.split()).errors
    report["their_errors"] += align(said, theirs.text.split()).errors
    if text == theirs.text:
        report["equal"] += 1
        report["calls"] += ours.calls == theirs.calls
        if ours.scores and ours.calls == theirs.calls:
            apart = np.abs(np.array(ours.scores) - np.array(theirs.scores)).max(initial=0.0)
            report["apart"] = max(report["apart"] or 0.0, float(apart))
        return
    found = (name for name, again in reasons if tokens.decode(again(calls)) == theirs.text)
    reason = next(found, None)
    if reason is None:
        report["unexplained"] += 1
    else:
        report["reasons"][reason] = report["reasons"].get(reason, 0) + 1
    if len(report["examples"]) < _EXAMPLES:
        report["examples"].append(
            {"audio": utterance.audio, "ours": text, "theirs": theirs.text, "reason": reason}
        )
