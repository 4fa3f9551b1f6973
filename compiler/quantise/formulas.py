"""Functions of one value, in the float32 operators that TensorFlow Lite Micro has."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from compiler.floats.graph import Node
from npu.model.formula import CONSTANT, Formula, Part

_ERF = (1.1281433716900262, 0.10408120745729442, -0.00178648230209126)
"""erf(z) = tanh(z (a + b z^2 + c z^4)) within 4e-5 where |z| is at most 4, a hundredth of int8's
step of 1/128; erf(4) is 1 - 1.5e-8."""
_ERF_END = 4.0
_SELU = (1.67326319217681884765625, 1.05070102214813232421875)
_STEEP = float(np.finfo(np.float32).max)
_MOST_POWER = 16


class Writer:
    """A formula while it is written; values are known by their numbers."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self._constants: dict[float, int] = {}

    def constant(self, value: float) -> int:
        if value not in self._constants:
            self.parts.append(Part(CONSTANT, (), float(np.float32(value))))
            self._constants[value] = len(self.parts)
        return self._constants[value]

    def of(self, kind: str, *operands: int | float) -> int:
        """A part; operands are values by number, or constants as float."""
        numbers = [self.constant(x) if isinstance(x, float) else x for x in operands]
        self.parts.append(Part(kind, tuple(numbers)))
        return len(self.parts)


Writing = Callable[[Writer, Node, Sequence[int]], int]


def formula_of(
    node: Node, least: float | None = None, most: float | None = None
) -> tuple[Formula, list[int]]:
    """The formula of a Function, and the numbers of what its divisors are.

    least, most : what its input is kept within, None where it is not
    """
    w = Writer()
    x = 0
    if least is not None and most is not None:
        x = w.of("MINIMUM", w.of("MAXIMUM", x, float(least)), float(most))
    values: dict[str, int] = {node.inputs[0]: x}
    for name, value in node.get("constants").items():
        values[name] = w.constant(float(value))
    divisors = []
    for part in node.get("parts"):
        operands = [values[name] for name in part.inputs]
        if part.kind == "Reciprocal":
            divisors.append(operands[0])
        values[part.output] = WRITINGS[part.kind](w, part, operands)
    return tuple(w.parts), divisors


def _same(kind: str) -> Writing:
    return lambda w, node, x: w.of(kind, *x)


def _clip(w: Writer, node: Node, x: Sequence[int]) -> int:
    here = x[0]
    if np.isfinite(node.get("min")):
        here = w.of("MAXIMUM", here, float(node.get("min")))
    if np.isfinite(node.get("max")):
        here = w.of("MINIMUM", here, float(node.get("max")))
    return here


def _above(w: Writer, x: int) -> int:
    return w.of("MAXIMUM", x, 0.0)


def _below(w: Writer, x: int) -> int:
    return w.of("MINIMUM", x, 0.0)


def _leaky(w: Writer, node: Node, x: Sequence[int]) -> int:
    slope = float(node.get("alpha", 0.01))
    return w.of("ADD", _above(w, x[0]), w.of("MUL", _below(w, x[0]), slope))


def _erf(w: Writer, node: Node, x: Sequence[int]) -> int:
    z = w.of("MINIMUM", w.of("MAXIMUM", x[0], -_ERF_END), _ERF_END)
    square = w.of("SQUARE", z)
    a, b, c = _ERF
    inner = w.of("ADD", w.of("MUL", square, c), b)
    outer = w.of("ADD", w.of("MUL", square, inner), a)
    return w.of("TANH", w.of("MUL", z, outer))


def _softplus(w: Writer, node: Node, x: Sequence[int]) -> int:
    """max(x, 0) + log(1 + exp(-|x|)): nothing grows beyond float32."""
    shrunk = w.of("EXP", w.of("NEG", w.of("ABS", x[0])))
    return w.of("ADD", _above(w, x[0]), w.of("LOG", w.of("ADD", shrunk, 1.0)))


def _softsign(w: Writer, node: Node, x: Sequence[int]) -> int:
    return w.of("DIV", x[0], w.of("ADD", w.of("ABS", x[0]), 1.0))


def _hard_swish(w: Writer, node: Node, x: Sequence[int]) -> int:
    gate = w.of("MINIMUM", _above(w, w.of("ADD", x[0], 3.0)), 6.0)
    return w.of("MUL", w.of("MUL", x[0], gate), 1 / 6)


def _elu(w: Writer, x: int, alpha: float) -> int:
    """x where it is not negative, else alpha (exp(x / alpha) - 1)."""
    bent = w.of("ELU", w.of("MUL", _below(w, x), 1 / alpha))
    return w.of("ADD", _above(w, x), w.of("MUL", bent, alpha))


def _celu(w: Writer, node: Node, x: Sequence[int]) -> int:
    return _elu(w, x[0], float(node.get("alpha", 1.0)))


def _selu(w: Writer, node: Node, x: Sequence[int]) -> int:
    alpha, gamma = float(node.get("alpha", _SELU[0])), float(node.get("gamma", _SELU[1]))
    bent = w.of("MUL", w.of("ELU", _below(w, x[0])), alpha)
    return w.of("MUL", w.of("ADD", _above(w, x[0]), bent), gamma)


def _sign(w: Writer, node: Node, x: Sequence[int]) -> int:
    steep = w.of("MUL", x[0], _STEEP)
    return w.of("MINIMUM", w.of("MAXIMUM", steep, -1.0), 1.0)


def _greater(w: Writer, left: int, right: int) -> int:
    """1 where left is greater, else 0."""
    steep = w.of("MUL", w.of("SUB", left, right), _STEEP)
    return w.of("MINIMUM", _above(w, steep), 1.0)


def _not(w: Writer, x: int) -> int:
    return w.of("SUB", 1.0, x)


def _equal(w: Writer, node: Node, x: Sequence[int]) -> int:
    apart = w.of("ADD", _greater(w, x[0], x[1]), _greater(w, x[1], x[0]))
    return _not(w, apart)


def _power(w: Writer, node: Node, x: Sequence[int]) -> int:
    """Of a constant: products where it is whole and small, else exp(p log(x))."""
    power = w.parts[x[1] - 1].value
    if power != int(power) or not 1 <= abs(power) <= _MOST_POWER:
        return w.of("EXP", w.of("MUL", w.of("LOG", x[0]), power))
    here = x[0]
    for digit in f"{int(abs(power)):b}"[1:]:
        here = w.of("SQUARE", here)
        if digit == "1":
            here = w.of("MUL", here, x[0])
    return here if power > 0 else w.of("DIV", 1.0, here)


WRITINGS: Mapping[str, Writing] = {
    "Abs": _same("ABS"),
    "Add": _same("ADD"),
    "And": _same("MUL"),
    "Cast": lambda w, node, x: x[0],
    "Ceil": _same("CEIL"),
    "Celu": _celu,
    "Clip": _clip,
    "Cos": _same("COS"),
    "Elu": _same("ELU"),
    "Equal": _equal,
    "Erf": _erf,
    "Exp": _same("EXP"),
    "Floor": _same("FLOOR"),
    "Greater": lambda w, node, x: _greater(w, x[0], x[1]),
    "GreaterOrEqual": lambda w, node, x: _not(w, _greater(w, x[1], x[0])),
    "HardSwish": _hard_swish,
    "LeakyRelu": _leaky,
    "Less": lambda w, node, x: _greater(w, x[1], x[0]),
    "LessOrEqual": lambda w, node, x: _not(w, _greater(w, x[0], x[1])),
    "Log": _same("LOG"),
    "Max": _same("MAXIMUM"),
    "Min": _same("MINIMUM"),
    "Mul": _same("MUL"),
    "Not": lambda w, node, x: _not(w, x[0]),
    "Or": _same("MAXIMUM"),
    "Pow": _power,
    "Reciprocal": lambda w, node, x: w.of("DIV", 1.0, x[0]),
    "Relu": lambda w, node, x: _above(w, x[0]),
    "Round": _same("ROUND"),
    "Rsqrt": _same("RSQRT"),
    "Selu": _selu,
    "Sigmoid": _same("LOGISTIC"),
    "Sign": _sign,
    "Sin": _same("SIN"),
    "Softplus": _softplus,
    "Softsign": _softsign,
    "Sqrt": _same("SQRT"),
    "Sub": _same("SUB"),
    "Tanh": _same("TANH"),
}
"""By kind of part."""
