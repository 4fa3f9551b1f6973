"""Formulas of one real number: what stands between a DEQUANTIZE and a QUANTIZE amid a model.

Each part is a float32 operator of TensorFlow Lite Micro, on single elements; all of it together is
a table of 256 values.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from npu.model.real import FUNCTIONS, exactly

Reals = np.ndarray

CONSTANT = "CONSTANT"
_MOST = np.finfo(np.float32).max
_LOGISTIC_ENDS = (-9.0, 16.619047164916992)
"""Where TFLM's LOGISTIC of reals becomes exp(x), and where it becomes 1."""


@dataclass(frozen=True)
class Part:
    """An operator of TFLite by its name, or a constant.

    Attributes
    ----------
    operands : values by number: 0 is the formula's input, n what part n - 1 gives
    value : of a constant, a finite float32
    """

    kind: str
    operands: tuple[int, ...] = ()
    value: float = 0.0


Formula = tuple[Part, ...]
"""Parts in order; the last one gives the answer."""


def single(kind: str) -> Formula:
    """A function of the input alone."""
    return (Part(kind, (0,)),)


def _logistic(x: Reals) -> Reals:
    least, most = _LOGISTIC_ENDS
    whole = 1 / (1 + np.exp(-x))
    return np.where(x > most, 1.0, np.where(x < least, np.exp(x), whole))


def _clamped(function: Callable[[Reals, Reals], Reals]) -> Callable[[Reals, Reals], Reals]:
    """In float32, kept within what is finite, as operators with an activation keep it."""
    return lambda a, b: np.clip(function(a, b), -_MOST, _MOST)


UNARY: dict[str, Callable[[Reals], Reals]] = {
    **FUNCTIONS,
    "ABS": np.abs,
    "CEIL": np.ceil,
    "EXP": exactly(np.exp),
    "FLOOR": np.floor,
    "LOG": exactly(np.log),
    "LOGISTIC": exactly(_logistic),
    "ROUND": np.rint,
    "RSQRT": lambda x: np.float32(1) / np.sqrt(x),
    "SQRT": np.sqrt,
    "TANH": exactly(np.tanh),
}
BINARY: dict[str, Callable[[Reals, Reals], Reals]] = {
    "ADD": _clamped(np.add),
    "DIV": _clamped(np.divide),
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "MUL": _clamped(np.multiply),
    "SUB": _clamped(np.subtract),
}


def reason(formula: Sequence[Part]) -> str | None:
    """Why a formula is none; None where it is sound."""
    if not formula:
        return "it has no parts"
    for number, part in enumerate(formula):
        wanted = 0 if part.kind == CONSTANT else 2 if part.kind in BINARY else 1
        if part.kind not in (CONSTANT, *UNARY, *BINARY):
            known = ", ".join(sorted([*UNARY, *BINARY]))
            return f"its parts must be of {known}, not {part.kind!r}"
        if len(part.operands) != wanted:
            return f"{part.kind} must have {wanted} operands, not {len(part.operands)}"
        if any(not 0 <= operand <= number for operand in part.operands):
            return f"operands of part {number} must be 0 to {number}, not {part.operands}"
    return None


def answers(formula: Sequence[Part], x: Reals) -> Reals:
    """A formula of every element of `x`, float32; infinite or nan where float32 ends."""
    values: list[Reals] = [np.asarray(x, np.float32)]
    with np.errstate(all="ignore"):
        for part in formula:
            operands = [values[at] for at in part.operands]
            if part.kind == CONSTANT:
                values.append(np.full(x.shape, np.float32(part.value)))
            elif part.kind in BINARY:
                values.append(BINARY[part.kind](operands[0], operands[1]))
            else:
                values.append(UNARY[part.kind](operands[0]))
    return values[-1]
