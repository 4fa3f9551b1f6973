"""An integer model while it is written: values of a float graph as tensors of TFLite.

Axes change places only when somebody needs the elements: a value keeps the order in which its
tensor has them. A convolution's NHWC and ONNX's NCHW then meet without a copy between layers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from compiler.floats.graph import Array, FloatGraph, Node
from compiler.floats.seen import Seen
from compiler.quantise.choose import Range, range_of
from compiler.quantise.ranges import Grid, grid_of
from compiler.quantise.weights import Stored
from compiler.quantise.wide import WidePlan
from compiler.tflite_writer import ModelSpec, Signature

DESCRIPTION = "zeroskip"

Options = tuple[str, dict[str, Any]]
"""Class of the schema and its fields."""


@dataclass(frozen=True)
class Value:
    """A value: its tensor, its shape, its grid (None of integers).

    `order` says which axis of the tensor each axis of the value is; None where they are the same.
    """

    tensor: int
    shape: tuple[int, ...]
    grid: Grid | None
    order: tuple[int, ...] | None = None

    @property
    def steps(self) -> Grid:
        assert self.grid is not None, "an integer has no grid"
        return self.grid


class Writer:
    """What the rules of `compiler.quantise` write to.

    Attributes
    ----------
    graph : normal, as `compiler.floats.rewrite` leaves it
    m : the model so far
    told : grids that values must have
    stored : weights that are rounded already, by `key_of`
    wide : what of the graph is int16
    values, wides : values of the graph as int8, and as int16; some are both
    """

    def __init__(
        self,
        graph: FloatGraph,
        seen: Mapping[str, Seen],
        method: str,
        told: Mapping[str, Grid],
        stored: Mapping[tuple[str, int], Stored],
        cell_clip: float = 0.0,
        wide: WidePlan | None = None,
    ) -> None:
        self.cell_clip = cell_clip
        self.wide = WidePlan() if wide is None else wide
        self.graph, self.seen, self.method, self.stored = graph, seen, method, stored
        self.m = ModelSpec(name="main", description=DESCRIPTION)
        self.values: dict[str, Value] = {}
        self.wides: dict[str, Value] = {}
        self.takers: dict[str, list[Node]] = {}
        for node in graph.nodes:
            for name in node.inputs:
                self.takers.setdefault(name, []).append(node)
        self.ends = {*graph.outputs, *(s.following for s in graph.states if not s.holder)}
        self.done: set[int] = set()
        self.told = dict(told)
        self._grids: dict[str, Grid] = {}
        self._meets: dict[str, str] = {}

    # Grids

    def meet(self, name: str, other: str) -> None:
        """`name` takes the grid of `other`, so that nothing is rescaled between them."""
        if name not in self.told:
            self._meets[name] = other

    def grid(self, name: str) -> Grid:
        """The grid of a computed value."""
        while name in self._meets:
            name = self._meets[name]
        if name not in self._grids:
            self._grids[name] = self.told.get(name) or grid_of(*self._range(name))
        return self._grids[name]

    def _range(self, name: str) -> Range:
        """What was chosen of a value, and of a state's next value with it."""
        together = [name, *(n for n, other in self._meets.items() if other == name)]
        found = [range_of(self.seen[each], self.method) for each in together if each in self.seen]
        return min(lo for lo, _ in found), max(hi for _, hi in found)

    # Values

    def is_wide(self, node: Node) -> bool:
        """Whether a node computes or moves int16."""
        return id(node) in self.wide.nodes

    def value(self, name: str, wide: bool = False) -> Value:
        """A value in any order of axes; constants become tensors. `wide` as int16, else as int8."""
        held, others = (self.wides, self.values) if wide else (self.values, self.wides)
        if name not in held:
            if name in others:
                grid = self.wide.grid(name) if wide else self.grid(name)
                held[name] = self.on(others[name], grid, name)
            else:
                data = self.graph.constants[name]
                held[name] = self.constant(name, data, self.wide.grid(name) if wide else None)
        return held[name]

    def plain(self, name: str, wide: bool = False) -> Value:
        """A value whose tensor has its own order of axes."""
        found = self.value(name, wide)
        if found.order is not None:
            found = self._in_place(name, found)
            self.hold(name, found)
        return found

    def _in_place(self, name: str, found: Value) -> Value:
        assert found.order is not None
        moved = [axis for axis in found.order if found.shape[found.order.index(axis)] != 1]
        if all(a < b for a, b in pairwise(moved)):
            return self.reshaped(found, found.shape, name)
        order = self.integers(found.order, f"{name}/order")
        tensor = self.activation(name, found.shape, found.steps)
        operands = [found.tensor, order]
        self.m.operator("TRANSPOSE", operands, [tensor], ("TransposeOptions", {}))
        return Value(tensor, found.shape, found.grid)

    def turned(self, found: Value, order: Sequence[int]) -> Value:
        """A value with its axes in another order, for the time being without a copy."""
        shape = tuple(found.shape[axis] for axis in order)
        now = tuple(found.order[axis] if found.order is not None else axis for axis in order)
        same = now == tuple(range(len(now)))
        return Value(found.tensor, shape, found.grid, None if same else now)

    def reshaped(self, found: Value, shape: Sequence[int], name: str) -> Value:
        """The same elements of a plain tensor in another shape."""
        shape = tuple(int(n) for n in shape)
        target = self.integers(shape, f"{name}/shape")
        if found.grid is None:
            tensor = self.m.tensor(shape, "int32", (), name=name)
        else:
            tensor = self.activation(name, shape, found.grid)
        options = ("ReshapeOptions", {"NewShape": list(shape)})
        self.m.operator("RESHAPE", [found.tensor, target], [tensor], options)
        return Value(tensor, shape, found.grid)

    def on(self, found: Value, grid: Grid, name: str) -> Value:
        """A value on another grid."""
        return found if found.grid == grid else self._quantize(found, grid, f"{name}/rescaled")

    def copied(self, found: Value, name: str) -> Value:
        """The same integers in memory of their own."""
        return self._quantize(found, found.steps, f"{name}/copied")

    def _quantize(self, found: Value, grid: Grid, name: str) -> Value:
        tensor = self.activation(name, self.stored_shape(found), grid)
        self.m.operator("QUANTIZE", [found.tensor], [tensor])
        return replace(found, tensor=tensor, grid=grid)

    @staticmethod
    def stored_shape(found: Value) -> tuple[int, ...]:
        """The shape that the tensor has."""
        if found.order is None:
            return found.shape
        return tuple(found.shape[found.order.index(axis)] for axis in range(len(found.shape)))

    def put(self, name: str, tensor: int, grid: Grid | None, order: Any = None) -> None:
        """A value of the graph is this tensor."""
        self.hold(name, Value(tensor, tuple(self.graph.shapes[name]), grid, order))

    def hold(self, name: str, found: Value) -> None:
        """A value of the graph is this one, of int16 if its grid is."""
        wide = found.grid is not None and found.grid.dtype != "int8"
        (self.wides if wide else self.values)[name] = found

    # Tensors

    def activation(self, name: str, shape: Sequence[int], grid: Grid) -> int:
        return self.m.tensor(
            tuple(int(n) for n in shape),
            grid.dtype,
            scale=grid.scale,
            zero_point=grid.zero_point,
            name=name,
        )

    def integers(self, values: Sequence[int] | Array, name: str, dtype: str = "int32") -> int:
        """A constant that says what an operator does."""
        data = np.asarray(values, dtype)
        return self.m.tensor(data.shape, dtype, (), data=data, name=name)

    def constant(self, name: str, data: Array, grid: Grid | None = None) -> Value:
        """A constant operand on a grid of its own."""
        if grid is None:
            grid = constant_grid(data)
        integers = grid.quantised(data)
        tensor = self.m.tensor(
            data.shape,
            grid.dtype,
            scale=grid.scale,
            zero_point=grid.zero_point,
            data=integers,
            name=name,
        )
        return Value(tensor, tuple(data.shape), grid)

    # The graph around a node

    def alone(self, name: str) -> Node | None:
        """The one node that takes a value, None if others do, or the world outside."""
        takers = self.takers.get(name, [])
        return takers[0] if len(takers) == 1 and name not in self.ends else None

    def take(self, node: Node) -> None:
        """A node is part of an operator that is written for another one."""
        self.done.add(id(node))

    def finish(self, inputs: Mapping[str, int], outputs: Mapping[str, int]) -> ModelSpec:
        self.m.inputs, self.m.outputs = list(inputs.values()), list(outputs.values())
        self.m.signatures = [Signature("serving_default", 0, dict(inputs), dict(outputs))]
        return self.m


def constant_grid(data: Array) -> Grid:
    """Of constants all alike, one that has them exactly; else of their range."""
    flat = np.asarray(data, np.float32).reshape(-1)
    most = float(np.max(np.abs(flat)))
    if most > 0 and np.all(np.abs(flat) == np.float32(most)):
        return Grid(np.float32(most) / np.float32(127))
    return grid_of(float(np.min(flat)), float(np.max(flat)))
