"""Gates: what belongs to one, and what is refused."""

from dataclasses import replace

import pytest

from npu.errors import ModelError
from npu.model.graph import Graph
from npu.model.operators.gate import Gate, GateElse, GateEnd, Ways, ways
from npu.model.operators.move import Reshape
from npu.model.operators.table import Logistic
from npu.model.verify import verify
from tests.npu.model.operators.made import activation

# x, condition, made behind the gate, output, another shape, another scale, a second output.
TENSORS = (
    activation(0.1, 0, (1, 4)),
    activation(0.1, 0, (1, 1)),
    activation(0.1, 0, (1, 4)),
    activation(0.1, 0, (1, 4)),
    activation(0.1, 0, (1, 3)),
    activation(0.2, 0, (1, 4)),
    activation(0.1, 0, (1, 4)),
)
GATE, MADE, END = Gate("gate", 1), Reshape("made", 0, 2), GateEnd("end", (2,), (0,), (3,))
NEXT = (Gate("next", 1), GateEnd("next end", (0,), (3,), (6,)))


def graph(*operators, outputs=(3,), inputs=(0, 1)):
    return Graph("m", TENSORS, operators, inputs, outputs)


def test_a_gate_and_what_it_holds():
    legal = graph(GATE, MADE, END)
    verify(legal)
    assert ways(legal, GATE) == Ways((MADE,), (), END)
    verify(graph(GATE, MADE, END, *NEXT, outputs=(6,)))
    for threshold in (-128, 128):
        verify(graph(replace(GATE, threshold=threshold), MADE, END))
    # Nothing behind it: then it chooses between two values.
    verify(graph(GATE, GateEnd("end", (2,), (0,), (3,)), inputs=(0, 1, 2)))


def test_another_way_and_gates_inside():
    otherwise = Reshape("otherwise", 0, 6)
    both = graph(GATE, MADE, GateElse("else"), otherwise, replace(END, otherwise=(6,)))
    verify(both)
    assert ways(both, GATE) == Ways((MADE,), (otherwise,), both.operators[-1])
    inner = Gate("inner", 1), GateElse("inner else"), GateEnd("inner end", (0,), (0,), (2,))
    verify(graph(GATE, *inner, END))
    verify(graph(GATE, GateElse("else"), *inner, replace(END, values=(0,), otherwise=(2,))))
    # Of states alone: it gives nothing.
    verify(graph(GATE, MADE, replace(END, values=(), otherwise=(), outputs=()), outputs=(0,)))


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        (graph(GateElse("else"), MADE, outputs=(2,)), "m: else: it must stand behind a gate"),
        (
            graph(GATE, MADE, GateElse("else"), GateElse("more"), END),
            "'more' must not be another way where it is closed",
        ),
        (
            graph(GATE, GateElse("else"), MADE, END),
            "must not be used where 'gate' is open, as it is not computed there",
        ),
        (
            graph(GATE, MADE, GateElse("else"), Logistic("other", 2, 6), END),
            "must not be used where 'gate' is closed, as it is not computed there",
        ),
        (
            graph(GATE, GateElse("else"), MADE, replace(END, values=(0,)), outputs=(3, 2)),
            "must not be used behind the end of 'gate'",
        ),
        (
            graph(Gate("next", 1), replace(NEXT[1], otherwise=(0,)), GATE, MADE, END, outputs=(2,)),
            "must not be used behind the end of 'gate'",
        ),
        (
            graph(GATE, Gate("inner", 1), MADE, replace(NEXT[1], otherwise=(0,)), END),
            "must not be used behind the end of 'inner'",
        ),
        (
            graph(GATE, MADE, replace(END, values=(2, 0))),
            "it must have as many values as outputs, not",
        ),
        (graph(GATE, MADE, outputs=(2,)), "m: gate: it must have an end"),
        (graph(MADE, END), "m: end: it must stand behind a gate"),
        (
            graph(GATE, MADE, END, GateEnd("b", (3,), (0,), (6,))),
            "m: b: it must stand behind a gate",
        ),
        (graph(GATE, MADE, Gate("b", 1), END), "m: gate: it must have an end"),
        (
            graph(replace(GATE, threshold=129), MADE, END),
            "its threshold must be -128 to 128, not 129",
        ),
        (
            graph(replace(GATE, threshold=-129), MADE, END),
            "its threshold must be -128 to 128, not -129",
        ),
        (
            graph(replace(GATE, condition=0), MADE, END),
            r"its condition must be one number, not \[1, 4\]",
        ),
        (
            graph(GATE, MADE, replace(END, otherwise=(2,))),
            "must not be used where 'gate' is closed, as it is not computed there",
        ),
        (graph(GATE, MADE, END, outputs=(3, 2)), "must not be used behind the end of 'gate'"),
        (
            graph(GATE, MADE, END, Logistic("after", 2, 6), outputs=(3, 6)),
            "must not be used behind the end of 'gate'",
        ),
        (
            graph(GATE, MADE, replace(END, otherwise=(4,)), inputs=(0, 1, 4)),
            "its shapes must be equal",
        ),
        (
            graph(GATE, MADE, replace(END, otherwise=(5,)), inputs=(0, 1, 5)),
            "both its values and its output must be quantised alike",
        ),
    ],
)
def test_what_is_refused(refused, message):
    with pytest.raises(ModelError, match=message):
        verify(refused)
