"""Lattices as programs read them that nobody here wrote: OpenFst, Kaldi's weights, pydot."""

import subprocess
from dataclasses import replace

import kaldifst
import numpy as np
import pydot
import pytest

from npu.speech.lattice import Arc, End, Lattice
from npu.speech.lattice_files import SYMBOLS, dot, kaldi, named, openfst, words_of
from npu.speech.nbest import texts_of
from npu.speech.scores import ONE
from npu.speech.stream import Spoken
from tests.npu.speech.lattices import all_paths, lattice, scores, text_of

SEEDS = [0, 1, 3, 9]
MORE = 2_000
"""Than any of these lattices has paths."""


def compiled(of: Lattice):
    """The transducer that kaldifst reads, and its words."""
    files = openfst({"x-1": of})
    symbols = kaldifst.SymbolTable.from_str(files[SYMBOLS])
    return kaldifst.compile(files["x-1.fst.txt"], acceptor=True, isymbols=symbols), symbols


def read(linear, symbols) -> tuple[str, float]:
    """The text and the score of a single path."""
    is_linear, labels, _, weight = kaldifst.get_linear_symbol_sequence(linear)
    assert is_linear
    return " ".join(symbols.find(label) for label in labels), -weight.value


@pytest.mark.parametrize("seed", SEEDS)
def test_openfst_finds_the_same_texts(seed):
    """The shortest path is the best one, and no text is there twice."""
    of = lattice(seed)
    fst, symbols = compiled(of)
    assert fst.num_states == of.states
    paths = kaldifst.convert_nbest_to_vector(kaldifst.shortest_path(fst, n=MORE))
    found = [read(each, symbols) for each in paths]
    assert len(found) == of.paths == len({text for text, _ in found})
    assert dict(found) == pytest.approx(scores(of), abs=1e-4)
    first = kaldifst.convert_nbest_to_vector(kaldifst.shortest_path(fst, n=5))
    told = [(each.text, each.score) for each in texts_of(of, 5)]
    assert told == [
        (text, pytest.approx(nats, abs=1e-4))
        for text, nats in (read(each, symbols) for each in first)
    ]
    best, score = read(kaldifst.shortest_path(fst), symbols)
    assert best == text_of(of.best) and score == pytest.approx(of.score(of.best) / ONE, abs=1e-4)
    # Whoever makes it deterministic finds that it is.
    assert kaldifst.determinize(fst).num_states == of.states


def distances(folder, of: Lattice, *options) -> list[float]:
    """Of each state, from the start or to the ends, in the log semiring."""
    for name, text in openfst({"x-1": of}).items():
        (folder / name).write_text(text)
    # It would number states as they come.
    command = ["fstcompile", "--acceptor", "--arc_type=log", "--keep_state_numbering"]
    command.append(f"--isymbols={folder / SYMBOLS}")
    subprocess.run([*command, folder / "x-1.fst.txt", folder / "x.fst"], check=True, timeout=60)
    command = ["fstshortestdistance", "--delta=1e-9", *options, folder / "x.fst"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    rows = dict(line.split() for line in done.stdout.splitlines())
    return [-float(rows[str(state)]) for state in range(of.states)]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_log_semiring_gives_the_same_posteriors(openfst_tools, tmp_path, seed):
    of = lattice(seed)
    before = distances(tmp_path, of)
    behind = distances(tmp_path, of, "--reverse")
    assert behind[0] == pytest.approx(of.total, abs=1e-4)
    posteriors = [
        np.exp(before[arc.source] + arc.score / ONE + behind[arc.target] - behind[0])
        for arc in of.arcs
    ]
    assert of.posteriors == pytest.approx(posteriors, abs=1e-4)


def test_kaldi_s_costs_are_read_as_it_has_them():
    """Columns as its reader splits them, weights as its own lattice adds them."""
    arcs = (Arc(0, 1, "a", -3 * ONE, 2 * ONE, 0, 0), Arc(0, 1, "b c", -4 * ONE, 0, 0, 0))
    of = Lattice(arcs, {1: End(-ONE // 2, 0)})
    text = kaldi({"x-1": of, "x-2": Lattice((), {0: End(0, 0)})})
    first, second, rest = text.split("\n\n")
    assert rest == "" and second == "x-2\n0 0.000000,0.000000,"
    name, *rows = first.splitlines()
    assert name == "x-1"
    fst, words = kaldifst.Lattice(), {"a": 1, "b_c": 2}
    for row in rows:
        *way, weight = row.split()
        graph, acoustic, transitions = weight.split(",")
        assert transitions == ""
        cost = kaldifst.LatticeWeight(float(graph), float(acoustic))
        while int(way[-2 if len(way) > 1 else 0]) >= fst.num_states:
            fst.add_state()
        if len(way) == 1:
            fst.set_final(int(way[0]), cost)
        else:
            source, target, word = way
            arc = kaldifst.LatticeArc(words[word], words[word], cost, int(target))
            fst.add_arc(int(source), arc)
    fst.start = 0
    linear = kaldifst.shortest_path(fst)
    _, labels, _, weight = kaldifst.get_linear_symbol_sequence(linear)
    assert labels == [1] and (weight.value1, weight.value2) == (-2, 5.5)


def plain(quoted: str) -> str:
    """A quoted string of DOT, in which a backslash stands before quotes and itself."""
    return quoted[1:-1].replace('\\"', '"').replace("\\\\", "\\")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:pydot")
def test_pydot_draws_the_same_graph():
    of = lattice(1, apart=2)
    odd = replace(of, arcs=(of.arcs[0]._replace(word='q"\\'), *of.arcs[1:]))
    graphs = pydot.graph_from_dot_data(dot({"a-1": of, 'b"-2': odd}))
    assert [each.get_name().strip('"') for each in graphs] == ["a-1", 'b\\"-2']
    for graph, drawn in zip(graphs, (of, odd), strict=True):
        edges = [
            (int(e.get_source()), int(e.get_destination()), plain(e.get_label()), e.get_style())
            for e in graph.get_edges()
        ]
        assert sorted(edges, key=str) == sorted(
            (
                (a.source, a.target, f"{a.word} {share:.3f}", "bold" if a in drawn.best else None)
                for a, share in zip(drawn.arcs, drawn.posteriors, strict=True)
            ),
            key=str,
        )
        rings = {n.get_name() for n in graph.get_nodes() if n.get_shape() == "doublecircle"}
        assert rings == {str(state) for state in drawn.ends}


def test_names_are_those_of_phrases():
    of = lattice(1)
    said = Spoken("a", [], 0, 1, [], [])
    phrases = [replace(said, lattice=of), said, replace(said, lattice=of)]
    assert [name for name, _ in named("x/a b.wav", phrases)] == ["a_b-1", "a_b-3"]
    assert len(all_paths(of)) == of.paths


def test_words_of_openfst_keep_their_numbers():
    """Of lattices that come one after the other."""
    known = ["z", "<q>"]
    of = lattice(3)
    symbols = openfst({"x-1": of}, known)[SYMBOLS].splitlines()
    new = sorted({arc.word for arc in of.arcs} - set(known))
    assert symbols == [f"{word} {n}" for n, word in enumerate(["<eps>", *known, *new])]
    assert words_of([of], known) == [*known, *new] and new
