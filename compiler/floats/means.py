"""Means over all that was heard: sums of frames over a count of them that never ends.

icefall's first streaming Zipformer has one in every layer, y_j = (n m + x_1 + ... + x_j) / (n + j)
behind n frames of mean m. Neither n nor its reciprocal ever stays what it is. So it is written as
y_j = m + r_j v_j, where v_j is the mean of the call's first j frames less m, and r_j = j / (n + j):
that is known call by call, and stands in a state that moves along by one call. The mean itself
becomes m + v / t in call t, with every frame of the call in v. Behind `CALLS` calls t stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from compiler.floats.counters import Counter, Moving, contents, heard
from compiler.floats.files import dependent, library
from compiler.floats.graph import Array
from npu.errors import UnsupportedError

if TYPE_CHECKING:
    import onnx

CALLS = 256
"""From here on a call weighs one part in so many, which is a step of int8; the model has less."""

_LOOKED_AT = 4
"""Calls on which it is seen that a count is one of frames."""
_VIEWS = ("Unsqueeze", "Squeeze", "Reshape", "Identity")


@dataclass(frozen=True)
class _Mean:
    """Where a mean stands in a file.

    Attributes
    ----------
    node : the product of a sum and a rate, `rate`
    past : the product of the mean and the count of frames behind it, `mean` and `count`
    behind : the same in the axes of the sum
    running : the sum of the call's frames
    """

    node: Any
    rate: str
    past: Any
    mean: str
    count: str
    behind: str
    running: Any


def without_means(
    model: onnx.ModelProto,
    name: str,
    feeds: Mapping[str, Array],
    counters: Mapping[str, Counter],
    varying: set[str],
) -> dict[str, Moving]:
    """States that stand for the counts that means are taken by, by name; the model is changed to
    take them.

    Parameters are those of `without_counters`. Raises UnsupportedError for a mean whose next value
    is not that of a call's last frame.
    """
    own = dependent(model, set(counters)) - dependent(model, varying)
    given = {output: node for node in model.graph.node for output in node.output}
    means = [mean for node in model.graph.node if (mean := _mean(node, given, own)) is not None]
    if not means:
        return {}
    edges = list(dict.fromkeys(each for mean in means for each in (mean.rate, mean.count)))
    calls = [*islice(heard(model, name, feeds, counters, edges), _LOOKED_AT)]
    known = _values(model, name, feeds, means)
    found: dict[str, Moving] = {}
    for mean in means:
        rates, counts = ([call[each] for call in calls] for each in (mean.rate, mean.count))
        if _counts_frames(rates, counts):
            _write(model, name, known, mean, rates[0], found)
    return found


def _mean(node: Any, given: Mapping[str, Any], own: set[str]) -> _Mean | None:
    """(running + mean * count) * rate, in either order each."""

    def factors(product: Any) -> tuple[str, str] | None:
        """What a call computes, and what a count says."""
        if product is None or product.op_type != "Mul":
            return None
        left, right = product.input
        if (left in own) == (right in own):
            return None
        return (right, left) if left in own else (left, right)

    if (outer := factors(node)) is None:
        return None
    total = given.get(outer[0])
    if total is None or total.op_type != "Add":
        return None
    for running, behind in (total.input, [*total.input][::-1]):
        past = given.get(behind)
        while past is not None and past.op_type in _VIEWS:
            past = given.get(past.input[0])
        inner, frames = factors(past), given.get(running)
        if inner is not None and frames is not None and frames.op_type == "CumSum":
            return _Mean(node, outer[1], past, *inner, behind, frames)
    return None


def _counts_frames(rates: list[Array], counts: list[Array]) -> bool:
    """Whether counts are 0, n, 2n ... and rates one over these and the frames 1 to n of a call."""
    frames = rates[0].size
    return all(
        np.all(count == call * frames)
        and np.allclose(1 / rate.reshape(-1), call * frames + np.arange(1, frames + 1), rtol=1e-4)
        for call, (rate, count) in enumerate(zip(rates, counts, strict=True))
    )


def _values(
    model: onnx.ModelProto, name: str, feeds: Mapping[str, Array], means: list[_Mean]
) -> dict[str, Array]:
    """What means take, and where they are picked from, in the first call."""
    answers = {mean.node.output[0] for mean in means}
    gathers = [node for node in model.graph.node if node.op_type == "Gather"]
    wanted = [node.input[1] for node in gathers if node.input[0] in answers]
    for mean in means:
        wanted += [mean.mean, *mean.past.output, *mean.running.input]
    return contents(model, feeds, list(dict.fromkeys(wanted)), name)


def _write(
    model: onnx.ModelProto,
    name: str,
    known: Mapping[str, Array],
    mean: _Mean,
    rate: Array,
    found: dict[str, Moving],
) -> None:
    """y = m + r v in place of a mean, and m + v / t in place of what becomes of it."""
    onnx, label = library(), mean.node.name or mean.node.output[0]
    source, along = mean.running.input
    answer, rank = mean.node.output[0], known[source].ndim
    axis = int(known[along].reshape(-1)[0]) % rank
    lasts = [n for n in model.graph.node if _is_last(n, answer, known, axis, rank, rate.size)]
    plain = not any(a.i for a in mean.running.attribute)
    alike = known[mean.mean].shape == known[mean.past.output[0]].shape
    if not (lasts and plain and alike and rate.shape[axis - rank] == rate.size):
        raise UnsupportedError(
            f"{name}: node {label!r}: a mean over all that was heard, in another form than (mean * "
            "count + cumsum(x)) / (count + 1 ... n), of which the last frame's is carried; write "
            "it so, of one utterance at a time"
        )
    frames, calls = np.arange(1, rate.size + 1), np.arange(CALLS)[:, np.newaxis]
    rates = ahead(model, frames / (calls * rate.size + frames), found)
    shares = ahead(model, 1 / (calls + 1.0), found)
    turned = [*(each for each in range(rank) if each != axis), axis]
    back = np.argsort(turned).tolist()
    sums, shape, first, beyond, factor, part = (
        f"{label}/{each}" for each in ("means", "shape", "first", "beyond", "factor", "part")
    )
    weights = np.triu(np.ones((rate.size, rate.size))) / frames
    for key, array in {sums: weights.astype(np.float32), shape: np.array(rate.shape)}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, key))
    make = onnx.helper.make_node
    written = [
        make("Transpose", [source], [f"{label}/turned"], perm=turned),
        make("MatMul", [f"{label}/turned", sums], [f"{label}/sums"]),
        make("Transpose", [f"{label}/sums"], [first], perm=back),
        make("Sub", [first, mean.behind], [beyond]),
        make("Reshape", [rates, shape], [factor]),
        make("Mul", [beyond, factor], [part]),
        make("Add", [mean.behind, part], [answer]),
    ]
    _put(model, mean.past, [make("Identity", [mean.mean], [mean.past.output[0]])])
    _put(model, mean.node, written)
    for number, last in enumerate(lasts):
        picked, share = f"{label}/whole{number}", f"{label}/share{number}"
        pick = onnx.NodeProto.FromString(last.SerializeToString())
        pick.input[0], pick.output[0], pick.name = beyond, picked, picked
        nodes = [make("Mul", [picked, shares], [share])]
        nodes.append(make("Add", [mean.mean, share], [last.output[0]]))
        _put(model, last, [pick, *nodes])


def _is_last(
    node: Any, answer: str, known: Mapping[str, Array], axis: int, rank: int, frames: int
) -> bool:
    """Whether a node picks the last frame of a mean."""
    if node.op_type != "Gather" or node.input[0] != answer:
        return False
    along = next((a.i for a in node.attribute if a.name == "axis"), 0) % rank
    at = known[node.input[1]]
    return along == axis and at.ndim == 0 and int(at) % frames == frames - 1


def _put(model: onnx.ModelProto, node: Any, others: list[Any]) -> None:
    """Others in the place of a node."""
    for each in others:
        each.name = each.name or each.output[0]
    place = list(model.graph.node).index(node)
    nodes = [*model.graph.node[:place], *others, *model.graph.node[place + 1 :]]
    kept = [library().NodeProto.FromString(each.SerializeToString()) for each in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def ahead(model: onnx.ModelProto, rows: Array, found: dict[str, Moving]) -> str:
    """The first of rows (calls, n) that a state has; the next call gets the second, and at last
    the last one for ever. Those that are the same are one state.
    """
    onnx, rows = library(), rows.astype(np.float32)
    for each, state in found.items():
        if np.array_equal(state.initial, rows):
            return f"{each}/now"
    name = f"call/{len(found)}"
    bounds = {"zero": 0, "one": 1, "end": len(rows)}
    arrays = {f"{name}/{key}": np.array([at], np.int64) for key, at in bounds.items()}
    for key, array in {**arrays, f"{name}/last": rows[-1:]}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, key))
    zero, one, end = arrays
    make = onnx.helper.make_node
    now, kept, moved = f"{name}/now", f"{name}/kept", f"{name}/next"
    nodes = [
        make("Slice", [name, zero, one, zero], [now], now),
        make("Slice", [name, one, end, zero], [kept], kept),
        make("Concat", [kept, f"{name}/last"], [moved], moved, axis=0),
    ]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    real = onnx.TensorProto.FLOAT
    model.graph.input.append(onnx.helper.make_tensor_value_info(name, real, list(rows.shape)))
    found[name] = Moving(moved, (rows,))
    return now
