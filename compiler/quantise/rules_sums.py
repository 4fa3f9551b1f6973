"""States in two digits: int8 for what they are, int8 for what is below a step of that.

TFLM's ADD, SUB and QUANTIZE round nothing where one step is the other's by a power of two, so that
what is carried from one digit to the other is neither lost nor doubled.
"""

import numpy as np

from compiler.floats.graph import Node
from compiler.floats.rewrite.sums import ACCUMULATE, schedules
from compiler.quantise.ranges import Grid, grid_of
from compiler.quantise.rules import Rule
from compiler.quantise.writer import Value, Writer


def settle_grids(w: Writer) -> None:
    """The grids of all digits, by the whole range of the first, and of what is added and what is
    known beforehand, whole too."""
    producers = w.graph.producers()
    for now, rows in schedules(w.graph).items():
        grid = grid_of(float(np.min(rows)), float(np.max(rows)))
        w.told |= dict.fromkeys((*producers[now].inputs[:1], now), grid)
    for node in w.graph.nodes:
        if node.kind != ACCUMULATE:
            continue
        state, below, *steps = node.inputs
        most = max(max(-w.seen[name].least, w.seen[name].most) for name in (state, node.output))
        # Even on both sides, as a first call adds all that the state becomes.
        grid = Grid(grid_of(-most, most).scale)
        finer = [_finer(grid, shift) for shift in node.get("shifts")]
        w.told |= {state: grid, node.output: grid, below: finer[-1], node.outputs[1]: finer[-1]}
        w.told |= dict(zip(steps, finer, strict=True))
        value = producers[steps[0]].inputs[0]
        while (source := producers.get(value)) is not None and source.kind in ("Reshape", "Slice"):
            value = source.inputs[0]
        # What were clipped would be missing from all means to come.
        w.told.setdefault(value, grid_of(w.seen[value].least, w.seen[value].most))


def _finer(grid: Grid, shift: int) -> Grid:
    return Grid(grid.scale * np.float32(2.0**-shift))


def _accumulate(w: Writer, node: Node) -> None:
    """What is added in fine steps goes below, in coarse ones to the state, in others to both."""
    whole, below, *steps = (w.plain(name) for name in node.inputs)
    grid, fine = whole.steps, below.steps
    last = len(steps) - 1
    for number, step in enumerate(steps):
        name = f"{node.name}/{number}"
        if step.steps.scale == grid.scale:
            whole = _both(w, "ADD", whole, step, grid, name)
        elif number == last:
            below = _both(w, "ADD", below, step, fine, name)
        else:
            carry = w.on(step, _finer(grid, 0), f"{name}/carry")
            whole = _both(w, "ADD", whole, carry, grid, name)
            rest = _both(w, "SUB", step, carry, fine, f"{name}/rest")
            below = _both(w, "ADD", below, rest, fine, f"{name}/below")
    carry = w.on(below, _finer(grid, 0), f"{node.name}/carry")
    w.values[node.output] = _both(w, "ADD", whole, carry, grid, node.output)
    w.values[node.outputs[1]] = _both(w, "SUB", below, carry, fine, f"{node.name}/left")


def _both(w: Writer, kind: str, left: Value, right: Value, grid: Grid, name: str) -> Value:
    """A sum or a difference of two values of one shape."""
    tensor = w.activation(name, left.shape, grid)
    options = (f"{kind.capitalize()}Options", dict[str, int]())
    w.m.operator(kind, [left.tensor, right.tensor], [tensor], options, version=2)
    return Value(tensor, left.shape, grid)


RULES: dict[str, Rule] = {ACCUMULATE: _accumulate}
