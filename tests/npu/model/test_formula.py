"""Formulas of one real number."""

import re

import numpy as np
import pytest

from npu.model.formula import BINARY, CONSTANT, UNARY, Part, answers, reason, single

X = np.array([-2, -0.5, 0, 0.5, 2], np.float32)


def test_parts_take_what_stands_before_them():
    formula = (Part(CONSTANT, (), 3.0), Part("MUL", (0, 1)), Part("ADD", (2, 0)), Part("ABS", (3,)))
    assert reason(formula) is None
    np.testing.assert_array_equal(answers(formula, X), np.abs(4 * X))


def test_beyond_float32():
    """Operators with an activation end at the largest float, others are infinite, or nothing."""
    square = (*single("SQUARE"), Part("SQUARE", (1,)))
    assert np.isinf(answers(square, np.array([1e20], np.float32)))
    most = np.finfo(np.float32).max
    one_over = (Part(CONSTANT, (), 1.0), Part("DIV", (1, 0)))
    np.testing.assert_array_equal(answers(one_over, np.zeros(1, np.float32)), [most])
    assert np.isnan(answers(single("LOG"), np.array([-1], np.float32)))


def test_everything_is_float32():
    for kind in UNARY:
        assert answers(single(kind), np.array([0.3, 0.7], np.float32)).dtype == np.float32
    for kind in BINARY:
        formula = (Part(kind, (0, 0)),)
        assert answers(formula, np.array([0.3, 0.7], np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ((), "has no parts"),
        ((Part("GELU", (0,)),), "must be of ABS, .*, not 'GELU'"),
        ((Part("ABS", ()),), "ABS must have 1 operands, not 0"),
        ((Part("ADD", (0,)),), "ADD must have 2 operands, not 1"),
        ((Part(CONSTANT, (0,)),), "CONSTANT must have 0 operands, not 1"),
        ((Part("ABS", (1,)),), r"operands of part 0 must be 0 to 0, not \(1,\)"),
        ((Part("ABS", (-1,)),), r"must be 0 to 0, not \(-1,\)"),
    ],
)
def test_what_is_no_formula(formula, words):
    found = reason(formula)
    assert found is not None
    assert re.search(words, found)
