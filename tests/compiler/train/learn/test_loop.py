"""A toy learns, goes on as if it had not stopped, and says as a file what TFLM says of it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

import compiler.train.sound.ahead  # noqa: E402
from compiler.reference import search_of  # noqa: E402
from compiler.train.export import write_transducer  # noqa: E402
from compiler.train.learn.check import Check  # noqa: E402
from compiler.train.learn.convert import trained  # noqa: E402
from compiler.train.learn.decode import greedy  # noqa: E402
from compiler.train.learn.loop import Learner, run  # noqa: E402
from compiler.train.learn.network import FEATURE_SCALE  # noqa: E402
from compiler.train.sound.batches import padded  # noqa: E402
from compiler.train.sound.features import frontend  # noqa: E402
from compiler.train.symbols import BLANK, SYMBOLS, text_of  # noqa: E402
from kernels import Interpreter  # noqa: E402
from tests.compiler.train import toy  # noqa: E402


@pytest.fixture(autouse=True)
def one_thread():
    """Sums come in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A network that has learnt, with what it heard."""
    torch.set_num_threads(1)
    made = toy.recipe()
    listener = toy.listener(tmp_path_factory.mktemp("corpus"), made)
    learner, told = Learner(made, "cpu"), []
    check = Check(replace(listener, part="test"))
    run(
        learner,
        listener,
        tmp_path_factory.mktemp("run") / "checkpoint.pt",
        told.append,
        check=check,
    )
    learner.finish()
    return learner, listener, told


def heard(listener, count):
    """Batches of clips as they are, with silence behind them; and their texts."""
    items, texts = [], []
    for number in range(count):
        steps, symbols, _ = listener.plain(number)
        steps = np.concatenate([steps, np.repeat(steps[:2], 8, axis=0)])
        nothing = np.zeros(len(symbols), int)
        items.append((steps, symbols, nothing, nothing))
        texts.append(text_of(symbols))
    return padded(items), texts


@pytest.mark.slow
def test_it_learns(learnt):
    learner, listener, told = learnt
    assert told[-1].step == toy.STEPS and told[-1].left_s == 0
    assert told[-1].loss < 0.3 * told[0].loss
    assert told[-1].zeros == pytest.approx(0.5, abs=0.01)
    counted = [each.word_errors for each in told]
    # A processor whose sums end otherwise may have learnt all by the first count.
    assert counted[2] is None and 0.5 > counted[3] == counted[5] >= counted[-1]
    held_out = Check(replace(listener, part="test"))
    assert held_out.word_errors(learner.network) < 0.3


def test_a_reluctant_model_has_likelier_blanks_before_the_first_symbol(tmp_path):
    batch = toy.listener(tmp_path, toy.recipe()).batch(0)
    silent = replace(batch, counts=np.zeros_like(batch.counts))

    def loss(of, reluctant=None, blank=0.0):
        learner = Learner(toy.recipe(network={"reluctant": reluctant}), "cpu")
        with torch.no_grad():
            learner.network.joiner.bias[BLANK] += blank
        return learner.learn(of)

    assert loss(silent, reluctant=2.0) == pytest.approx(loss(silent, blank=2.0), rel=1e-5)
    assert loss(silent, reluctant=2.0) < loss(silent)
    # Behind a symbol it is as any other.
    assert len({loss(batch), loss(batch, reluctant=2.0), loss(batch, blank=2.0)}) == 3


WAYS = {
    "straight through": ("muon", {}, {}),
    "n-of-m, free": (
        "muon",
        {"method": "n-of-m", "group": 16},
        {"forward": "int8", "snap": 3, "regulariser": 4.0},
    ),
    "l1, snapped": ("adamw", {"method": "l1", "pull": 0.3}, {"snap": 2}),
}


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_it_goes_on_as_if_it_had_not_stopped(tmp_path, monkeypatch, way):
    if way != "straight through":
        # That batches are the same of whatever process one way shows. Each run would start its own,
        # which takes longer than its steps.
        monkeypatch.setattr(
            compiler.train.sound.ahead,
            "ProcessPoolExecutor",
            lambda jobs, **_: ThreadPoolExecutor(jobs),
        )
    optimiser, of_pruning, of_grid = WAYS[way]
    made = toy.recipe(
        learning={"steps": 24, "batch": 4, "checkpoint_s": 1e9, "optimiser": optimiser},
        pruning={"begin": 4, "end": 12, **of_pruning},
        quantisation={"begin": 14, "bits": 4, **of_grid},
    )
    listener = toy.listener(tmp_path, made, 40)
    whole = Learner(made, "cpu")
    run(whole, listener, tmp_path / "whole.pt", lambda _: None)

    class Stopped(Exception):
        pass

    for at in (9, 19):  # amid the pruning, and on the grid

        def stop(progress, at=at):
            if progress.step == at:
                raise Stopped

        file = tmp_path / f"{at}.pt"
        eager = made.model_copy(
            update={"learning": made.learning.model_copy(update={"checkpoint_s": 1e-9})}
        )
        with pytest.raises(Stopped):
            run(Learner(eager, "cpu"), listener, file, stop, every=1)
        again = Learner(made, "cpu")
        run(again, listener, file, lambda _: None)
        for name, value in whole.network.state_dict().items():
            assert torch.equal(value, again.network.state_dict()[name]), name
    whole.finish()
    assert whole.zeros == pytest.approx(0.5, abs=0.02)
    for matrix in whole.network.matrices().values():
        for part in matrix().detach().chunk(matrix.matrices):
            assert len(torch.unique(part)) <= 16


@pytest.mark.slow
@pytest.mark.parametrize("predictor", ["lstm", pytest.param("stateless", marks=pytest.mark.long)])
def test_its_files_are_the_network(tmp_path, learnt, predictor):
    """Integers against the network in training, and against TFLM where it is installed."""
    learner, listener, _ = learnt
    if predictor == "stateless":
        made = toy.recipe(
            network={"predictor": "stateless"},
            learning={"steps": 220},
            pruning={"begin": 120, "end": 160},
            quantisation={"begin": 200},
        )
        learner = Learner(made, "cpu")
        run(learner, listener, tmp_path / "checkpoint.pt", lambda _: None)
        learner.finish()
    done = trained(learner.network)
    config = frontend(listener.mean, listener.std)
    model = write_transducer(tmp_path / "model", done, SYMBOLS, config, "toy", "tones")
    batch, _ = heard(listener, 20)
    simulated = greedy(
        learner.network, torch.from_numpy(batch.steps), torch.from_numpy(batch.lengths)
    )
    search, asked = search_of(model), Asked(tmp_path / "model", model)
    same = 0
    for steps, length, wanted in zip(batch.steps, batch.lengths, simulated, strict=True):
        calls = np.rint(steps[:length] / FEATURE_SCALE).clip(-128, 127).astype(np.int8)
        calls = calls.reshape(-1, 2, calls.shape[1])
        search.reset()
        found = search.accept(calls)
        same += found == wanted
        asked.tflm_agrees(calls, found)
    assert same >= 19, f"{same} of 20 as in training"
    assert len(set(map(tuple, simulated))) > 5


class Asked:
    """The three files in the integer kernels and in TFLM, if that is installed."""

    def __init__(self, folder, model):
        self.ours = {role: Interpreter(graph) for role, graph in model.graphs.items()}
        runtime = None
        with suppress(ImportError):
            runtime = import_module("tflite_micro.python.tflite_micro.runtime")
        self.theirs = {
            role: runtime.Interpreter.from_bytes(
                (folder / f"{role}.tflite").read_bytes(), arena_size=1 << 20
            )
            for role in (self.ours if runtime else ())
        }

    def tflm_agrees(self, calls, symbols):
        """Every answer of an utterance, with the symbols that were found."""
        for each in (*self.ours.values(), *self.theirs.values()):
            each.reset()
        encoded = [self._answer("encoder", call[None]) for call in calls]
        predicted = [
            self._answer("decoder", np.array([[symbol]], np.int32)) for symbol in (0, *symbols)
        ]
        for prediction in predicted:
            self._answer("joiner", encoded[len(encoded) // 2], prediction)

    def _answer(self, role, *inputs):
        (found,) = self.ours[role].invoke(list(inputs))
        if role in self.theirs:
            for position, array in enumerate(inputs):
                self.theirs[role].set_input(array, position)
            self.theirs[role].invoke()
            np.testing.assert_array_equal(found, self.theirs[role].get_output(0))
        return found


def test_it_begins_with_the_weights_of_another(tmp_path):
    few = {"steps": 4, "batch": 4, "average": 1}
    quick = {
        "learning": few,
        "pruning": {"begin": 0, "end": 2},
        "quantisation": {"begin": 3},
    }
    first = Learner(toy.recipe(**quick), "cpu")
    run(first, toy.listener(tmp_path, first.recipe, 12), tmp_path / "first.pt", lambda _: None)
    first.finish()
    other = toy.recipe(network={"predictor": "stateless"}, **quick).model_copy(update={"seed": 9})
    fresh, second = Learner(other, "cpu"), Learner(other, "cpu")
    second.begin_with(tmp_path / "first.pt")
    taken, was = dict(first.network.named_parameters()), dict(fresh.network.named_parameters())
    for name, value in second.network.named_parameters():
        fits = not name.startswith("predictor.")
        assert torch.equal(value, taken[name] if fits else was[name]), name
    assert not second.network.fixed and second.zeros == 0
