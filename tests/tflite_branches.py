"""Random models with branches: IF on comparisons of int8, inside of one another, with variables
that only one graph assigns, and with several inputs and outputs."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.tflite_builder import ModelSpec

COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")
WIDTH, CONDITIONS = 6, 4
SCALE, ZERO = np.float32(0.05), 3
VARIABLES = ("first", "second")
GRID = (0.01, -7)
"""Of what `chosen` decides by."""


def comparison(
    m: ModelSpec, kind: str, x: int, constant: tuple[int, float, int], *, turned: bool = False
) -> int:
    """A bool: whether an int8 compares with a constant (value, scale, zero point).

    turned : the constant comes first
    """
    value, scale, zero = constant
    shape = m.tensors[x].shape
    known = m.tensor(shape, "int8", np.float32(scale), zero, np.full(shape, value, np.int8))
    made = m.tensor(shape, "bool")
    name = "".join(part.title() for part in kind.split("_")) + "Options"
    m.operator(kind, [known, x] if turned else [x, known], [made], (name, {}))
    return made


def branch(
    m: ModelSpec, condition: int, inputs: list[int], outputs: list[int], graphs: tuple[int, int]
) -> None:
    """An IF between two subgraphs."""
    options = {"ThenSubgraphIndex": graphs[0], "ElseSubgraphIndex": graphs[1]}
    m.operator("IF", [condition, *inputs], outputs, ("IfOptions", options))


def handle(m: ModelSpec, name: str) -> int:
    """What names a variable."""
    made = m.tensor((1,), "resource")
    m.operator("VAR_HANDLE", [], [made], ("VarHandleOptions", {"SharedName": name}))
    return made


def row(m: ModelSpec, data: np.ndarray | None = None) -> int:
    """(1, WIDTH), which all values of these models are."""
    return m.tensor((1, WIDTH), scale=SCALE, zero_point=ZERO, data=data)


def adds(number: int) -> ModelSpec:
    """x + a constant."""
    m = ModelSpec()
    x, y = row(m), row(m)
    m.operator("ADD", [x, row(m, np.full((1, WIDTH), number, np.int8))], [y], ("AddOptions", {}))
    m.inputs, m.outputs = [x], [y]
    return m


def chosen(
    kind: str = "GREATER",
    constant: tuple[int, float, int] = (5, *GRID),
    grid: tuple[float, int] = GRID,
    *,
    turned: bool = False,
) -> ModelSpec:
    """x + 40 where a comparison with the second input holds, x - 60 where it does not."""
    m = ModelSpec()
    x, c, y = row(m), m.tensor((1, 1), scale=np.float32(grid[0]), zero_point=grid[1]), row(m)
    decided = comparison(m, kind, c, constant, turned=turned)
    branch(m, decided, [x], [y], (1, 2))
    m.inputs, m.outputs = [x, c], [y]
    m.others = [adds(43), adds(-57)]
    return m


def random_branches(rng: np.random.Generator) -> ModelSpec:
    """Some operators and branches, up to three deep; the last input decides."""
    m = ModelSpec()
    x = row(m)
    grids = [_grid(rng) for _ in range(CONDITIONS)]
    conditions = [m.tensor((1, 1), scale=np.float32(s), zero_point=z) for s, z in grids]
    m.inputs = [x, *conditions]
    m.operator("CALL_ONCE", [], [], ("CallOnceOptions", {"InitSubgraphIndex": 1}))
    maker = _Maker(rng, grids, [_first_values(rng)])
    m.outputs = [maker.body(m, x, conditions, 3)]
    m.others = maker.others
    return m


def _grid(rng: np.random.Generator) -> tuple[float, int]:
    return float(np.exp(rng.uniform(np.log(0.0005), np.log(0.9)))), int(rng.integers(-128, 128))


def _first_values(rng: np.random.Generator) -> ModelSpec:
    m = ModelSpec()
    for name in VARIABLES:
        value = row(m, rng.integers(-128, 128, (1, WIDTH)).astype(np.int8))
        m.operator("ASSIGN_VARIABLE", [handle(m, name), value], [])
    return m


@dataclass
class _Maker:
    rng: np.random.Generator
    grids: list[tuple[float, int]]
    others: list[ModelSpec]
    _handles: dict[int, dict[str, int]] = field(default_factory=dict)

    def body(self, m: ModelSpec, x: int, conditions: list[int], deep: int) -> int:
        """Some steps on x."""
        for _ in range(int(self.rng.integers(1, 4))):
            x = self._layer(m, x)
            if deep and self.rng.random() < 0.7:
                x = self._branch(m, x, conditions, deep)
        return x

    def _branch(self, m: ModelSpec, x: int, conditions: list[int], deep: int) -> int:
        rng, number = self.rng, int(self.rng.integers(CONDITIONS))
        scale, zero = self.grids[number]
        if rng.random() < 0.6:
            scale, zero = float(scale * rng.uniform(0.5, 1.1)), int(rng.integers(-128, 128))
        value, kind = int(rng.integers(-128, 128)), str(rng.choice(COMPARISONS))
        turned = bool(rng.integers(2))
        decided = comparison(m, kind, conditions[number], (value, scale, zero), turned=turned)
        two = bool(rng.integers(2))
        inner = [self._graph(two, deep - 1) for _ in range(2)]
        self.others += inner
        outputs = [row(m) for _ in range(1 + two)]
        numbers = len(self.others) - 1, len(self.others)
        branch(m, decided, [x, *conditions], outputs, numbers)
        return self._sum(m, *outputs) if two else outputs[0]

    def _graph(self, two: bool, deep: int) -> ModelSpec:
        m = ModelSpec()
        x = row(m)
        conditions = [m.tensor((1, 1), scale=np.float32(s), zero_point=z) for s, z in self.grids]
        m.inputs = [x, *conditions]
        m.outputs = [self.body(m, x, conditions, deep)]
        if two:
            m.outputs.append(self._layer(m, x))
        return m

    def _sum(self, m: ModelSpec, a: int, b: int) -> int:
        made = row(m)
        m.operator("ADD", [a, b], [made], ("AddOptions", {}))
        return made

    def _layer(self, m: ModelSpec, x: int) -> int:
        rng, made = self.rng, row(m)
        match int(rng.integers(5)):
            case 0:
                data = rng.integers(-127, 128, (WIDTH, WIDTH)).astype(np.int8)
                weights = m.tensor((WIDTH, WIDTH), scale=np.float32(0.01), data=data)
                options: Any = ("FullyConnectedOptions", {})
                m.operator("FULLY_CONNECTED", [x, weights, -1], [made], options)
            case 1:
                other = row(m, rng.integers(-128, 128, (1, WIDTH)).astype(np.int8))
                m.operator("MUL", [x, other], [made], ("MulOptions", {}))
            case 2:
                return self._exchanged(m, x)
            case 3:
                m.operator("RELU", [x], [made])
            case _:
                return self._sum(m, x, row(m, rng.integers(-128, 128, (1, WIDTH)).astype(np.int8)))
        return made

    def _exchanged(self, m: ModelSpec, x: int) -> int:
        """With what a variable held; that takes the value."""
        held, name = row(m), str(self.rng.choice(VARIABLES))
        mine = self._handles.setdefault(id(m), {})
        if name not in mine:
            mine[name] = handle(m, name)
        m.operator("READ_VARIABLE", [mine[name]], [held])
        m.operator("ASSIGN_VARIABLE", [mine[name], x], [])
        return self._sum(m, x, held)
