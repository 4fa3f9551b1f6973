"""Weights with fewer bits and more zeros, and what remains moved so that the layer still answers.

A weight that is rounded or left out makes an error in each output; the weights of its row that are
not decided yet are moved so that the error on the calibration's inputs is least. That is the
optimal brain surgeon's step (Hassibi and Stork, 1993), column by column with one Cholesky factor
for all rows, as GPTQ (arXiv 2210.17323) rounds and SparseGPT (arXiv 2301.00774) prunes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from compiler.floats.graph import Array, FloatGraph, Node
from compiler.quantise.ranges import MOST, kept_steps
from npu.errors import ModelError

BITS = (8, 6, 5, 4, 3)
_DAMPING = 0.01
"""Of the mean of the moments' diagonal, put onto it: inputs that never vary decide nothing."""
_ROUNDS = 30

Floats = NDArray[np.float64]
Moments = Mapping[str, Floats]
"""By name of a value: the mean of x x' over its rows, (width, width)."""


@dataclass(frozen=True)
class WeightPlan:
    """How weights are rounded and pruned, cells limited, and what is between products.

    Attributes
    ----------
    bits : of each weight, one of `BITS`
    bits_of : by node, where it is another number
    book : whether 2**bits levels are wherever the weights of a matrix cluster (Lloyd-Max on int8),
        instead of evenly spaced
    prune : the share of all weights that are 0 in the end, 0 to below 1
    per_layer : whether that is the share of each matrix, instead of all together
    reconstruct : whether what remains is moved
    cell_clip : limit of the |cell state| of LSTM layers, 0 for none; TensorFlow's converter has 10
    correct : whether biases give back what rounding takes on average, see
        `compiler.quantise.correct`
    wide : whether activations are int16 where `compiler.quantise.wide` says so
    """

    bits: int = 8
    bits_of: Mapping[str, int] = field(default_factory=dict)
    book: bool = False
    prune: float = 0.0
    per_layer: bool = False
    reconstruct: bool = True
    cell_clip: float = 0.0
    correct: bool = False
    wide: bool = True

    def __post_init__(self) -> None:
        if wrong := {self.bits, *self.bits_of.values()} - set(BITS):
            raise ModelError(f"weights of {min(wrong)} bits; {', '.join(map(str, BITS))} run")
        if not 0 <= self.prune < 1:
            raise ModelError(f"a share of {self.prune} to prune; it must be 0 to below 1")

    @property
    def plain(self) -> bool:
        """Whether weights are what they are anyway: eight bits, each rounded by itself."""
        unclipped = replace(self, cell_clip=0.0, wide=True)
        return unclipped == WeightPlan() or unclipped == WeightPlan(reconstruct=False)


@dataclass(frozen=True, eq=False)
class Matrix:
    """Weights (rows, columns) of a node: which of its inputs they are, and whose product they take.

    `groups` rows share a step: 1 where each row has its own. `source` has no moments where the
    product is of windows.
    """

    node: Node
    position: int
    rows: Floats
    source: str
    groups: int = 1

    @property
    def key(self) -> tuple[str, int]:
        return key_of(self.node, self.position)


def key_of(node: Node, position: int) -> tuple[str, int]:
    """A weight of a node, by what the node gives: a layer in parts has many nodes of one name."""
    return next(name for name in node.outputs if name), position


@dataclass(frozen=True, eq=False)
class Stored:
    """Rounded weights: `integers` (rows, columns) int8 on `steps` (rows,) float32."""

    integers: NDArray[np.int8]
    steps: NDArray[np.float32]


def matrices(graph: FloatGraph) -> Iterator[Matrix]:
    """Every weight matrix of a normal graph."""
    for node in graph.nodes:
        if node.kind == "MatMul" and (data := graph.constant(node.inputs[1])) is not None:
            if data.ndim == 2:
                yield Matrix(node, 1, data.T.astype(np.float64), node.inputs[0])
        elif node.kind in ("Conv", "ConvTranspose"):
            data = graph.constant(node.inputs[1])
            if data is not None:
                first = 0 if node.kind == "Conv" else 1
                rows = np.moveaxis(data, first, 0).reshape(data.shape[first], -1)
                yield Matrix(node, 1, rows.astype(np.float64), "")
        elif node.kind == "LSTM":
            hidden = next(s.current for s in graph.states if s.holder == node.name)
            for position, source in ((1, node.inputs[0]), (2, hidden)):
                data = graph.constants[node.inputs[position]][0]
                yield Matrix(node, position, data.astype(np.float64), source, len(data) // 4)


def stored_weights(
    graph: FloatGraph, plan: WeightPlan, moments: Moments
) -> tuple[FloatGraph, dict[tuple[str, int], Stored]]:
    """The graph with its weights as they become, and their integers by `key_of`."""
    found = list(matrices(graph))
    masks = _masks(found, plan, moments)
    made = {}
    nodes, constants = {id(n): n for n in graph.nodes}, dict(graph.constants)
    shapes = dict(graph.shapes)
    for matrix, mask in zip(found, masks, strict=True):
        moment = moments.get(matrix.source) if plan.reconstruct else None
        stored = _stored(matrix, plan, mask, moment)
        made[matrix.key] = stored
        name = f"{matrix.key[0]}/stored{matrix.position}"
        node = nodes[id(matrix.node)]
        inputs = [*node.inputs]
        constants[name] = _back(graph, matrix, stored)
        shapes[name] = constants[name].shape
        inputs[matrix.position] = name
        nodes[id(matrix.node)] = replace(node, inputs=tuple(inputs))
    now = tuple(nodes[id(node)] for node in graph.nodes)
    return replace(graph, nodes=now, constants=constants, shapes=shapes), made


def _back(graph: FloatGraph, matrix: Matrix, stored: Stored) -> Array:
    """Rounded weights in the form that the node takes."""
    rows = stored.integers.astype(np.float32) * stored.steps[:, None]
    before = graph.constants[matrix.node.inputs[matrix.position]]
    if matrix.node.kind == "MatMul":
        return np.ascontiguousarray(rows.T)
    if matrix.node.kind == "LSTM":
        return rows[None]
    first = 0 if matrix.node.kind == "Conv" else 1
    shape = [before.shape[first], *np.delete(before.shape, first)]
    return np.ascontiguousarray(np.moveaxis(rows.reshape(shape), 0, first))


def _masks(found: list[Matrix], plan: WeightPlan, moments: Moments) -> list[NDArray[np.bool_]]:
    """Which weights may be other than 0: none that is 0 already.

    What leaving one out costs decides: with moments the squared error of the row's output once the
    others have moved, else its square.
    """
    if plan.prune == 0:
        return [m.rows != 0 for m in found]
    costs = []
    for matrix in found:
        cost = matrix.rows**2
        moment = moments.get(matrix.source) if plan.reconstruct else None
        if moment is not None:
            cost = cost / np.diag(np.linalg.inv(_damped(moment)))
        costs.append(cost)
    if plan.per_layer or not costs:
        masks = [_largest(cost, plan.prune) for cost in costs]
        return [mask & (m.rows != 0) for mask, m in zip(masks, found, strict=True)]
    # Layers differ in the size of what they give: costs are shares of a layer's own output.
    scaled = [cost / max(float(cost.sum()) / cost.size, 1e-30) for cost in costs]
    together = _largest(np.concatenate([cost.reshape(-1) for cost in scaled]), plan.prune)
    bounds = np.cumsum([cost.size for cost in costs])[:-1]
    parts = np.split(together, bounds)
    return [
        part.reshape(m.rows.shape) & (m.rows != 0) for part, m in zip(parts, found, strict=True)
    ]


def _largest(cost: Floats, share: float) -> NDArray[np.bool_]:
    """All but `share` of the elements, those that cost most; of equals the last ones."""
    flat = cost.reshape(-1)
    gone = np.argsort(flat, kind="stable")[: round(share * flat.size)]
    mask = np.ones(flat.size, bool)
    mask[gone] = False
    return mask.reshape(cost.shape)


def _damped(moment: Floats) -> Floats:
    level = max(float(np.mean(np.diag(moment))), 1e-12)
    return moment + _DAMPING * level * np.eye(len(moment))


def _stored(
    matrix: Matrix, plan: WeightPlan, mask: NDArray[np.bool_], moment: Floats | None
) -> Stored:
    bits = plan.bits_of.get(matrix.node.name, plan.bits)
    kept = matrix.rows * mask
    levels = MOST if plan.book else (1 << (bits - 1)) - 1
    most = np.max(np.abs(kept).reshape(-1, matrix.groups * kept.shape[1]), axis=1)
    most = np.where(most > 0, most, max(float(np.max(most)), 1e-9))
    steps = np.repeat(most / levels, matrix.groups).astype(np.float32)
    if levels == MOST and moment is None:
        gates = kept.reshape(-1, matrix.groups * kept.shape[1])
        steps = np.repeat(kept_steps(gates, steps[:: matrix.groups]), matrix.groups)
    scale = steps.astype(np.float64)
    if plan.book and bits < 8:
        book = centroids(kept / scale[:, None], bits)
        nearest = _to_book(book)
    else:
        nearest = _to_whole(levels)
    if moment is None:
        return Stored((nearest(kept / scale[:, None]) * mask).astype(np.int8), steps)
    return Stored(_moved(matrix.rows, scale, mask, moment, nearest), steps)


def _moved(
    rows: Floats,
    steps: Floats,
    mask: NDArray[np.bool_],
    moment: Floats,
    nearest: Callable[[Floats], Floats],
) -> NDArray[np.int8]:
    """Column by column: rounded, and the columns behind it moved against the error."""
    inverse = np.linalg.inv(_damped(moment))
    factor = np.linalg.cholesky(inverse).T
    left = rows.copy()
    made = np.zeros(rows.shape, np.int8)
    for column in range(rows.shape[1]):
        whole = nearest(left[:, column] / steps) * mask[:, column]
        made[:, column] = whole
        error = (left[:, column] - whole * steps) / factor[column, column]
        left[:, column + 1 :] -= np.outer(error, factor[column, column + 1 :])
    return made


def _to_whole(levels: int) -> Callable[[Floats], Floats]:
    return lambda values: np.clip(np.rint(values), -levels, levels)


def _to_book(book: Floats) -> Callable[[Floats], Floats]:
    between = (book[1:] + book[:-1]) / 2
    return lambda values: book[np.searchsorted(between, values)]


def centroids(values: Floats, bits: int) -> Floats:
    """At most 2**bits whole numbers of int8, 0 among them, ascending: Lloyd-Max on what is not 0.

    values : in steps, -127 to 127
    """
    flat = values[values != 0]
    if flat.size == 0:
        return np.zeros(1)
    count = (1 << bits) - 1
    book = np.quantile(flat, (np.arange(count) + 0.5) / count)
    for _ in range(_ROUNDS):
        of = np.searchsorted((book[1:] + book[:-1]) / 2, flat)
        sums = np.bincount(of, flat, count)
        number = np.bincount(of, minlength=count)
        book = np.where(number > 0, sums / np.maximum(number, 1), book)
    return np.unique(np.append(np.clip(np.rint(book), -MOST, MOST), 0.0))
