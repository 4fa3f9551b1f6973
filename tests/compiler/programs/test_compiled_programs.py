"""Programs: a loop on the chip and a search on the host decide alike; any graphs have a place."""

from dataclasses import replace

import numpy as np
import pytest

from compiler import Model, compile_model, load_model
from compiler.programs import graph, greedy, per_graph
from compiler.programs.program import Border, Program, Use
from compiler.reference import search_of
from kernels import Interpreter
from npu.chip.params import load_params
from npu.errors import InputError, ModelError
from npu.model.border import crossing
from npu.model.operators.rescale import rescale_table
from npu.model.recording import Recording
from npu.runtime.host_search import ChipNetworks, HostSearchSession
from npu.runtime.image import Image
from npu.runtime.sessions import Session, TransducerSession
from tests.conftest import ROOT
from tests.random_graphs import GraphMaker, random_inputs
from tests.random_transducers import random_transducer

TINY = load_params("tiny")
SEEDS = (0, 3, 4, 5, 6, 9)
VECTORS = ROOT / "tests" / "vectors" / "tflite"


def answers_of(engine, recording, features):
    """Symbols of each call, and what was seen."""
    symbols = engine.accept_calls(features)
    return symbols, {name: np.array(found) for name, found in recording.vectors.items()}


def assert_alike(model, chip, features):
    """Loop on the chip, search on the host and kernels: the same symbols and vectors."""
    sides = []
    for program, session in ((greedy(model), TransducerSession), (per_graph(model), None)):
        recording = Recording()
        image = Image.from_bytes(compile_model(model, chip, program=program).to_bytes())
        run = (session or HostSearchSession)(image, recording=recording)
        sides.append(answers_of(run, recording, features))
    recording = Recording()
    sides.append(answers_of(search_of(model, recording), recording, features))
    symbols, vectors = sides[0]
    for other, seen in sides[1:]:
        assert other == symbols
        assert list(seen) == list(vectors)
        for name, found in vectors.items():
            np.testing.assert_array_equal(seen[name], found, err_msg=name)
    assert len(vectors["encoder_out"]) == len(features)
    return symbols


def test_the_zoo_is_searched_alike(zoo):
    with np.load(sorted((zoo / "commands_rnnt" / "utterances").glob("*.npz"))[0]) as recorded:
        features = recorded["features"][:20]
    symbols = assert_alike(load_model("commands_rnnt"), TINY, features)
    assert any(symbols)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_transducers_are_searched_alike(seed):
    rng = np.random.default_rng(seed)
    model = random_transducer(rng)
    encoder = model.graphs["encoder"]
    shape = encoder.tensors[encoder.inputs[0]].shape
    assert_alike(model, TINY, rng.integers(-128, 128, (6, *shape[1:])).astype(np.int8))


def test_a_network_that_is_off_by_one_is_seen(monkeypatch):
    """On the host's side alone, in one value."""
    encode = ChipNetworks.encode

    def off(networks, features):
        (encoded,) = encode(networks, features)
        encoded[0, 0] ^= 1
        return [encoded]

    monkeypatch.setattr(ChipNetworks, "encode", off)
    with pytest.raises(AssertionError, match="logits"):
        test_random_transducers_are_searched_alike(SEEDS[0])


def test_random_transducers_emit_and_cross_scales():
    """Or the test above would show little."""
    crossed, emitted = 0, set()
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        model = random_transducer(rng)
        encoder, joiner = model.graphs["encoder"], model.graphs["joiner"]
        source, target = encoder.tensors[encoder.outputs[0]], joiner.tensors[joiner.inputs[0]]
        crossed += crossing(source, target, "here") is not None
        shape = encoder.tensors[encoder.inputs[0]].shape
        features = rng.integers(-128, 128, (6, *shape[1:])).astype(np.int8)
        emitted |= set(search_of(model).accept(features))
    assert crossed > 3 and len(emitted) > 2


# --- programs by default --------------------------------------------------------------------------
def test_the_default_programs():
    single = load_model(VECTORS / "joint.tflite")
    assert compile_model(single, TINY).to_bytes() == (
        compile_model(single, TINY, program=graph()).to_bytes()
    )
    names = [entry.name for entry in compile_model(single, TINY).header.entries]
    assert names == ["boot", "reset", "invoke"]
    model = random_transducer(np.random.default_rng(0))
    image = compile_model(model, TINY)
    assert image.to_bytes() == compile_model(model, TINY, program=greedy(model)).to_bytes()
    assert [entry.name for entry in image.header.entries] == ["boot", "reset", "frames"]


def test_entries_of_a_program_per_graph():
    model = random_transducer(np.random.default_rng(0))
    header = compile_model(model, TINY, program=per_graph(model)).header
    names = [entry.name for entry in header.entries]
    assert names == ["boot", "reset", "encoder", "decoder", "joiner"]
    encoder, decoder, joiner = header.entries[2:]
    assert [t.shape for t in encoder.outputs] == [joiner.inputs[0].shape]
    assert decoder.outputs[0].scale == joiner.inputs[1].scale
    assert decoder.inputs[0].index_limit == len(model.tokens)
    assert header.features == encoder.inputs[0]
    assert {probe.name for probe in header.probes} == {"encoder_out", "logits"}


def test_a_decoder_with_too_few_symbols():
    model = random_transducer(np.random.default_rng(0))
    symbols = model.graphs["joiner"].tensors[model.graphs["joiner"].outputs[0]].size
    decoder = GraphMaker(np.random.default_rng(1))
    decoder.gather(symbols - 1, 1)
    short = replace(
        model, graphs=model.graphs | {"decoder": decoder.graph("dec", decoder.live[-1:])}
    )
    with pytest.raises(ModelError, match="dec: gather0: its table has fewer rows than the joiner"):
        compile_model(short, TINY)


# --- roles are a model's own ----------------------------------------------------------------------
def branching():
    """A trunk that two branches take, one of them another graph's input besides."""
    rng = np.random.default_rng(5)
    trunk = GraphMaker(rng)
    trunk.inputs.append(trunk.activation((1, 1, 12)))
    trunk.lstm(trunk.live[-1])
    trunk.fully_connected(trunk.live[-1], 10)
    graphs = {"trunk": trunk.graph("t", trunk.live[-1:])}
    for name in ("left", "right", "end"):
        branch = GraphMaker(rng)
        branch.inputs.append(branch.activation((1, 10)))
        if name == "end":
            branch.inputs.append(branch.activation((1, 10)))
        branch.fully_connected(branch.inputs[-1], 10)
        graphs[name] = branch.graph(name, branch.live[-1:])
    return Model("branching", graphs, None, None, {})


BORDERS = (
    Border("trunk", "left"),
    Border("trunk", "right"),
    Border("left", "end", input=0),
    Border("right", "end", input=1),
)


def crossed(model, border, values):
    source, target = model.graphs[border.source], model.graphs[border.target]
    wanted = target.tensors[target.inputs[border.input]]
    rescale = crossing(source.tensors[source.outputs[border.output]], wanted, "here")
    if rescale is not None:
        values = rescale_table(rescale)[values.astype(int) + 128]
    return values.reshape(wanted.shape)


@pytest.mark.parametrize("on_chip", [True, False])
def test_four_graphs_that_branch(on_chip):
    model = branching()
    borders = tuple(replace(border, on_chip=on_chip) for border in BORDERS)
    session = Session(compile_model(model, TINY, program=per_graph(model, borders)))
    engines = {role: Interpreter(g) for role, g in model.graphs.items()}
    rng = np.random.default_rng(6)
    for _ in range(3):
        inputs = random_inputs(rng, model.graphs["trunk"])
        wanted = {"trunk": engines["trunk"].invoke(inputs)[0]}
        host = {"trunk": inputs}
        for role in ("left", "right", "end"):
            taken = [crossed(model, b, wanted[b.source]) for b in borders if b.target == role]
            (wanted[role],) = engines[role].invoke(taken)
            host[role] = [] if on_chip else taken
        for role in model.graphs:
            outputs, cycles = session.start(role, host[role])
            leaving = [b for b in borders if b.source == role]
            right = (
                [crossed(model, b, wanted[role]) for b in leaving]
                if leaving and not on_chip
                else [wanted[role]]
            )
            for found, one in zip(outputs, right, strict=True):
                np.testing.assert_array_equal(found, one)
            assert cycles > 0


def test_programs_that_are_none():
    uses = (Use("a"), Use("b"))
    with pytest.raises(ValueError, match="uses a graph twice"):
        Program((*uses, Use("a")), ())
    for border in (Border("b", "a"), Border("a", "c"), Border("a", "a")):
        with pytest.raises(ValueError, match="its graphs must stand in this order"):
            Program(uses, (), (border,))


def test_a_border_of_several_rows_stays_off_the_chip():
    rng = np.random.default_rng(7)
    source = GraphMaker(rng)
    source.inputs.append(source.activation((1, 3, 4)))
    source.fully_connected(source.inputs[0], 4)
    rows = source.shape(source.live[-1])
    target = GraphMaker(rng)
    target.inputs.append(target.activation((1, 3, 4)))
    target.fully_connected(target.inputs[0], 5)
    graphs = {
        "one": source.graph("one", source.live[-1:]),
        "two": target.graph("two", target.live[-1:]),
    }
    assert rows == (1, 3, 4)
    model = Model("rows", graphs, None, None, {})
    uses = (Use("one", stores=True), Use("two", stores=True))
    with pytest.raises(ModelError, match=r"two: input .* must be one vector, the border gives 3"):
        compile_model(model, TINY, program=Program(uses, (), (Border("one", "two"),)))


def test_an_entry_that_is_not_there():
    session = Session(compile_model(load_model(VECTORS / "joint.tflite"), TINY))
    with pytest.raises(InputError, match=r"joint.tflite has no entry 'x'; it has: boot, res"):
        session.start("x")
    assert session.start("reset")[1] > 0
