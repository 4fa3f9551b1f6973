"""Log-probabilities of int8 logits in fixed point: the same integers on every engine and machine.

A score is in units of 2**-16 nat. Where a softmax takes exponentials and a logarithm, tables stand
here, which are as exact as their last digit; a sum of all probabilities is 1 to about 1e-4.
"""

from decimal import Decimal
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

ONE = 1 << 16
"""A nat."""

LEAST = -(1 << 30)
"""No score is lower: what is as unlikely is as good as impossible."""

MOST_PENALTY = 15.0
"""Nats that blank's logit may be moved by, so that no sum of exponentials is 0 or overflows."""

_EXP_BITS = 40
_LN_BITS = 14
_ADD_SHIFT = 4
_ADD_ENTRIES = 12 * ONE >> _ADD_SHIFT
"""Behind as many, ln(1 + exp(-x)) is less than half a unit."""

Scores = NDArray[np.int64]


class Scorer:
    """Scores of a joiner's logits.

    Parameters
    ----------
    scale : of the logits, above 0; their zero point does not matter.
    blank : the symbol whose logit `blank_penalty` is taken from, in nats.
    temperature : that logits are divided by, above 0.

    Raises ValueError for a value out of range.
    """

    def __init__(
        self, scale: float, blank: int, blank_penalty: float = 0.0, temperature: float = 1.0
    ) -> None:
        for name, value in (("scale", scale), ("temperature", temperature)):
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name} must be finite and above 0, not {value!r}")
        if not abs(blank_penalty) <= MOST_PENALTY:
            raise ValueError(
                f"blank_penalty must be -{MOST_PENALTY:g} to {MOST_PENALTY:g}, not "
                f"{blank_penalty!r}"
            )
        self._blank = blank
        # How far below the largest logit each one lies, 0 to 255 steps; no further than LEAST.
        most: float = -LEAST / ONE
        below: NDArray[np.float64] = np.arange(256) * np.float64(min(scale / temperature, most))
        below = np.minimum(below, most)
        self._down = _units(below)
        self._down_blank = _units(below + blank_penalty)
        self._exp = _exponentials(below)
        self._exp_blank = _exponentials(below + blank_penalty)

    def __call__(self, logits: NDArray[np.int8]) -> Scores:
        """The score of each symbol, (symbols,) int64 of at most 0 (a little more by rounding)."""
        wide = logits.astype(np.int64)
        below = wide.max() - wide
        total = int(self._exp[below].sum())
        blank = below[self._blank]
        total += int(self._exp_blank[blank]) - int(self._exp[blank])
        scores = -self._down[below]
        scores[self._blank] = -self._down_blank[blank]
        return np.maximum(scores - _ln(total), LEAST)


def log_add(one: int, other: int) -> int:
    """The score of what is so if either of two things is that exclude each other."""
    high, low = (one, other) if one >= other else (other, one)
    place = (high - low) >> _ADD_SHIFT
    return high + (int(_add_table()[place]) if place < _ADD_ENTRIES else 0)


def probability(score: int) -> float:
    """0 to 1."""
    return float(np.exp(min(0, score) / ONE))


def _ln(total: int) -> int:
    """ln(total / 2**_EXP_BITS), in units."""
    exponent = total.bit_length() - 1
    shift = exponent - _LN_BITS
    mantissa = (total >> shift if shift >= 0 else total << -shift) - (1 << _LN_BITS)
    return int(_ln_table()[mantissa]) + int(_units(np.log(2) * (exponent - _EXP_BITS)))


@lru_cache
def _ln_table() -> Scores:
    """ln(1 + (n + 1/2) / 2**_LN_BITS), in units."""
    return _units(np.log1p((np.arange(1 << _LN_BITS) + 0.5) / (1 << _LN_BITS)))


@lru_cache
def _add_table() -> Scores:
    """ln(1 + exp(-x)) in the middle of each step of x, in units; exact at 0."""
    steps = np.arange(_ADD_ENTRIES) + 0.5
    steps[0] = 0
    return _units(np.log1p(np.exp(-(steps * (1 << _ADD_SHIFT)) / ONE)))


def _exponentials(below: NDArray[np.float64]) -> Scores:
    """exp(-below) in units of 2**-_EXP_BITS; in decimals, as no two machines' `exp` are one."""
    one = Decimal(1 << _EXP_BITS)
    exact = (Decimal(-value).exp() * one for value in below.tolist())
    return np.array([int(value.to_integral_value()) for value in exact], np.int64)


def _units(nats: NDArray[np.float64] | float) -> Scores:
    return np.rint(np.asarray(nats) * ONE).astype(np.int64)
