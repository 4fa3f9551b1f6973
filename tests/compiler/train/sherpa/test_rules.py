"""Rules of icefall's beam search; that they are sherpa-onnx's is seen beside it."""

import pytest

from compiler.train.sherpa.rules import Phrases, by_length


def test_the_context_counts_as_length():
    # -3 / 3 = -1 is above -2.2 / 2: without the two symbols before, it were -3 and minus infinity.
    assert by_length([((), -2.2), ((5,), -3.0)]) == (5,)
    assert by_length([((), -1.9), ((5,), -3.0)]) == ()


def test_what_phrases_add():
    phrases = Phrases({(1, 2, 3): 2.0, (2, 4): 0.5})

    def said(*symbols):
        begun, added = (), []
        for symbol in symbols:
            nats, begun = phrases.step(begun, symbol)
            added.append(nats)
        return added, begun

    # A whole phrase keeps what it got, and the next begins anew.
    assert said(1, 2, 3, 3) == ([2.0, 2.0, 2.0, 0.0], ())
    # Where it is left, what was given for it is taken back.
    assert said(1, 2, 9) == ([2.0, 2.0, -4.0], ())
    assert said(1, 1) == ([2.0, 0.0], (1,))
    # What it ends with may go on as another.
    added, begun = said(1, 2, 4)
    assert added == pytest.approx([2.0, 2.0, -3.0]) and begun == ()
    assert said(7, 8) == ([0.0, 0.0], ())
