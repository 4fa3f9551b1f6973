"""Functions of one value: DEQUANTIZE, operators of float32, QUANTIZE; a table when it is read."""

import numpy as np

from compiler.floats.graph import Node
from compiler.floats.rewrite.functions import KIND
from compiler.quantise.formulas import formula_of
from compiler.quantise.ranges import HIGHEST, LOWEST, Grid
from compiler.quantise.rules import Rule
from compiler.quantise.writer import Options, Writer
from npu.model.formula import CONSTANT, Formula, Part, answers

_MOST_STEPS = 2.0**30
"""From a grid's zero: int8 of more is not computed alike everywhere."""
_EVERY = np.arange(LOWEST, HIGHEST + 1)
_OPTIONS = {kind: f"{kind.capitalize()}Options" for kind in ("ADD", "DIV", "MUL", "SUB")}


def _function(w: Writer, node: Node) -> None:
    source = w.value(node.inputs[0])
    grid = w.grid(node.output)
    formula = _sound(w, node, source.steps, grid)
    shape = w.stored_shape(source)
    real = w.m.tensor(shape, "float32", (), name=f"{node.output}/real")
    w.m.operator("DEQUANTIZE", [source.tensor], [real])
    values = [real]
    for number, part in enumerate(formula):
        name = f"{node.output}/part{number}"
        if part.kind == CONSTANT:
            data = np.array(part.value, np.float32)
            values.append(w.m.tensor((), "float32", (), data=data, name=name))
            continue
        made = w.m.tensor(shape, "float32", (), name=name)
        options = _OPTIONS.get(part.kind)
        told: Options | None = None if options is None else (options, {})
        w.m.operator(part.kind, [values[at] for at in part.operands], [made], told)
        values.append(made)
    tensor = w.activation(node.output, shape, grid)
    w.m.operator("QUANTIZE", [values[-1]], [tensor])
    w.put(node.output, tensor, grid, source.order)


def _sound(w: Writer, node: Node, source: Grid, grid: Grid) -> Formula:
    """A formula that is finite on all of the source's grid.

    Beyond what was seen there may be no answer, as of a logarithm of 0.

    Raises UnsupportedError where there is none in between either, or a divisor passes 0.
    """
    x = source.real(_EVERY)
    formula, divisors = formula_of(node)
    if not _is_finite(formula, divisors, x, grid):
        seen = w.seen[node.inputs[0]]
        formula, divisors = formula_of(node, seen.least, seen.most)
        _require_whole_divisors(w, node, formula, divisors, x)
        found = answers(formula, x)
        if not np.all(np.isfinite(found)):
            raise w.graph.refuse(
                node,
                f"it is {found[~np.isfinite(found)][0]} somewhere between {seen.least:g} and "
                f"{seen.most:g}, which its input was; keep it from there, as with Clip",
            )
    if np.any(np.abs(answers(formula, x)) > _MOST_STEPS * grid.scale):
        least, most = (float(v) for v in grid.real(np.array([LOWEST, HIGHEST])))
        at = len(formula)
        formula += (
            Part(CONSTANT, (), least),
            Part("MAXIMUM", (at, at + 1)),
            Part(CONSTANT, (), most),
            Part("MINIMUM", (at + 2, at + 3)),
        )
    return formula


def _is_finite(formula: Formula, divisors: list[int], x: np.ndarray, grid: Grid) -> bool:
    passes = any(_passes_zero(formula, number, x) for number in divisors)
    return not passes and bool(np.all(np.isfinite(answers(formula, x))))


def _passes_zero(formula: Formula, number: int, x: np.ndarray) -> bool:
    value = x if number == 0 else answers(formula[:number], x)
    return not (np.all(value > 0) or np.all(value < 0))


def _require_whole_divisors(
    w: Writer, node: Node, formula: Formula, divisors: list[int], x: np.ndarray
) -> None:
    for number in divisors:
        if _passes_zero(formula, number, x):
            value = x if number == 0 else answers(formula[:number], x)
            raise w.graph.refuse(
                node,
                f"its divisor was {np.min(value):g} to {np.max(value):g} and passes 0, where a "
                "quotient has no bounds; keep the divisor on one side, as by an epsilon",
            )


RULES: dict[str, Rule] = {KIND: _function}
