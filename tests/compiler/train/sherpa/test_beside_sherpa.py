"""sherpa-onnx's texts beside ours, on random networks."""

import numpy as np
import pytest

from compiler.train.export.reading import trained_of
from npu.errors import ModelError
from npu.speech.hotwords import Hotword
from tests.trained_transducers import TOKENS, random_trained, written

pytest.importorskip("onnx", reason="the extra `sherpa` is not installed")
pytest.importorskip("sherpa_onnx", reason="the extra `sherpa` is not installed")

from compiler.train.sherpa import compare, floats, graph, parts, rules
from compiler.train.sherpa.floats import FloatNetworks
from compiler.train.sherpa.heads import Spelt, spell
from compiler.train.sherpa.parts import write_onnx
from compiler.train.sherpa.peer import Sherpa

# Of random networks, some that say neither nothing nor as much as they may.
LSTM, STATELESS = 2, 3
PHRASES = [Hotword("abc", 1.0), Hotword("g b", 2.0)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    return {
        stateless: written(random_trained(seed, stateless), place / f"{stateless}")
        for stateless, seed in ((False, LSTM), (True, STATELESS))
    }


@pytest.fixture
def beside(models, tmp_path):
    """Case by case: texts, calls and reasons, of some random utterances."""

    def run(stateless, utterances=4):
        model, found = models[stateless], {}
        rng = np.random.default_rng(7)
        heard = [rng.integers(-128, 128, (25, 2, 12)).astype(np.int8) for _ in range(utterances)]
        for number, case in enumerate(compare.cases(model, PHRASES)):
            if not isinstance(case.head, Spelt):
                continue
            sherpa = Sherpa(
                tmp_path / f"{stateless}-{number}",
                trained_of(model),
                model.tokens.symbols,
                case.loop,
                case.head,
                case.repeat,
                case.phrases,
                **case.options,
            )
            found[case.name] = [compared(model, case, sherpa, calls) for calls in heard]
        return found

    return run


def compared(model, case, sherpa, calls):
    ours, theirs = case.ours(calls), sherpa.hear(spell(calls))
    text = model.tokens.decode(ours.symbols)
    reason = "equal"
    if text != theirs.text:
        again = ((name, model.tokens.decode(rule(calls))) for name, rule in case.reasons)
        reason = next((name for name, other in again if other == theirs.text), None)
    symbols = tuple(model.tokens.symbols[symbol] for symbol in ours.symbols)
    exact = (symbols, ours.calls) == (theirs.symbols, theirs.calls)
    apart = np.abs(np.subtract(ours.scores, theirs.scores)).max() if exact and ours.scores else 0.0
    return reason, exact, apart, text


def wrong(found):
    """Cases in which an utterance differs and no rule is why, or a greedy one differs at all."""
    return {
        name
        for name, each in found.items()
        for reason, exact, apart, _ in each
        if reason is None or apart > 1e-4 or ("greedy" in name and not exact)
    }


@pytest.mark.parametrize("stateless", [False, True])
def test_texts_are_equal_or_a_rule_is_why(beside, models, stateless):
    found = beside(stateless)
    assert not wrong(found)
    cases = compare.cases(models[stateless], PHRASES)
    greedy = [each for name, runs in found.items() if "greedy" in name for each in runs]
    assert len(greedy) == (12 if stateless else 4)
    # Texts say something: neither nothing, nor the one that is always said.
    assert len({text for *_, text in greedy}) > len(greedy) // 2
    beam = [each for name, runs in found.items() if "greedy" not in name for each in runs]
    assert len(beam) == (16 if stateless else 4)
    # Each rule is needed.
    known = {name for case in cases for name, _ in case.reasons}
    assert len(known) == (4 if stateless else 1)
    assert known <= {reason for reason, *_ in beam}


def gates_as_they_are(weights):
    return weights.reshape(1, -1, weights.shape[-1])


def no_tanh(g, layer, here):
    return graph.dense(g, layer, g.one("Atanh", here))


def by_score(strings):
    return max(strings, key=lambda each: each[1])[0]


def swapped(networks, state, symbol):
    """A stateless predictor that sees the last symbol first."""
    predictor = networks._trained.predictor
    embedded = predictor.embedding.table[symbol].astype(np.float64)
    before = np.zeros_like(embedded) if state is None else state[0]
    seen = np.concatenate([embedded, before])
    return floats._run(predictor.layers, seen[np.newaxis], ())[0][0], (embedded,)


FAULTS = {
    "gates in our order": (False, graph, "_gates", gates_as_they_are),
    "no tanh in the joiner": (False, parts, "dense", no_tanh),
    "a symbol less in a call": (False, compare, "NEMOS_MOST", 9),
    "a phrase is worth more": (True, rules.Phrases, "step", lambda *_: (1.0, ())),
    "symbols swapped": (True, FloatNetworks, "predict_from", swapped),
    "ranked by score": (True, rules, "by_length", by_score),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_is_seen(beside, monkeypatch, fault):
    stateless, where, name, value = FAULTS[fault]
    monkeypatch.setattr(where, name, value)
    assert wrong(beside(stateless))


def test_a_recurrent_predictor_is_refused_by_icefalls_loop(models, tmp_path):
    trained = trained_of(models[False])
    with pytest.raises(ModelError, match="stateless"):
        write_onnx(tmp_path / "x", trained, TOKENS, "icefall", Spelt())
    with pytest.raises(ModelError, match="2 tokens for 9 symbols"):
        write_onnx(tmp_path / "x", trained, TOKENS[:2], "nemo", Spelt())
    assert not (tmp_path / "x").exists()
