"""Integers that count what was heard, out of which masks over cached keys are made.

icefall's exports take `processed_lens`, the frames of the calls before: so many of the cached keys
are ones. The count soon is no int8, so a value that is made of counts alone is asked for of
onnxruntime, call by call until it changes no more. If it moves along by as much in every call, with
the same values behind it, it becomes a state of real numbers that does so; a condition becomes one
of 0 and what its `Where` picks.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from compiler.floats.files import dependent, library, run_once
from compiler.floats.graph import Array
from npu.errors import UnsupportedError

if TYPE_CHECKING:
    import onnx

MAX_CALLS, STAYS = 256, 8
"""In so many calls a value must have come to what it is after a long time, and stay so for some."""

MASKED, LEAST = -24.0, -20.0
"""What is added to a score that nobody may see, in place of one below LEAST: minus infinity, or the
-1000 of icefall. exp(-24) is nothing beside 1, and costs a softmax's input less range."""

_LONG = 1 << 30
_STEP = "decode_chunk_len"


@dataclass(frozen=True)
class Counter:
    """An input that counts.

    Attributes
    ----------
    following : the output that it becomes; None where a caller adds `step` for every call.
    """

    following: str | None
    step: int = 0


def counters_of(
    model: onnx.ModelProto, declared: Mapping[str, Any], carried: Mapping[str, str], given: set[str]
) -> dict[str, Counter]:
    """The inputs that count, by name: states of integers that follow from themselves alone, one or
    one for each layer, and `processed_lens` or `processed_frames` where the metadata says by how
    much they grow.

    given : inputs with data, which are none.
    """
    whole = {
        name
        for name, value in declared.items()
        if value.type.tensor_type.elem_type in (6, 7) and name not in given
    }
    found = {}
    for name in whole & set(carried):
        others = dependent(model, set(declared) - {name})
        if carried[name] not in others:
            found[name] = Counter(carried[name])
    said = {each.key: each.value for each in model.metadata_props}
    step = said.get(_STEP, "")
    for name in whole - set(carried):
        if name.startswith("processed_") and step.isdecimal():
            found[name] = Counter(None, int(step))
    return found


@dataclass(frozen=True, eq=False)
class Moving:
    """A state of real numbers in place of a count.

    Attributes
    ----------
    following : what the next call gets. rows : what it is in the calls, until it stays.
    """

    following: str
    rows: tuple[Array, ...]

    @property
    def initial(self) -> Array:
        """What the first call gets."""
        return self.rows[0]


def without_counters(
    model: onnx.ModelProto,
    name: str,
    feeds: Mapping[str, Array],
    counters: Mapping[str, Counter],
    varying: set[str],
) -> dict[str, Moving]:
    """States that stand for what was made of counters, by name; the model is changed to take them.

    feeds : of the first call. varying : inputs that are no counters, whose contents vary.

    Raises UnsupportedError for a value that does not move along, or is taken by what has no form.
    """
    counted, others = dependent(model, set(counters)), dependent(model, varying)
    own = counted - others
    edge: dict[str, list[Any]] = {}
    for node in model.graph.node:
        if not set(node.output) & others:
            continue
        for value in {*node.input} & own:
            edge.setdefault(value, []).append(node)
    if not edge:
        return {}
    rows = _rows(model, name, feeds, counters, list(edge))
    settled = {each for node in model.graph.node for each in node.input} - counted - others - {""}
    fixed = _fixed(model, feeds, settled, [n for of in edge.values() for n in of], name)
    found: dict[str, Moving] = {}
    for value, takers in edge.items():
        for node in takers:
            where = f"{name}: node {node.name!r} ({node.op_type})"
            _take(model, node, value, rows[value], fixed, found, where)
    return found


def _fixed(
    model: onnx.ModelProto,
    feeds: Mapping[str, Array],
    settled: set[str],
    nodes: list[Any],
    name: str,
) -> dict[str, Array]:
    """What nodes take that is always the same."""
    wanted = {each for node in nodes for each in node.input} & settled
    return contents(model, feeds, sorted(wanted), name)


def contents(
    model: onnx.ModelProto, feeds: Mapping[str, Array], wanted: Collection[str], name: str
) -> dict[str, Array]:
    """Values by name: of constants, of what is fed, and of what the first call makes of it."""
    stored = {t.name: t for t in model.graph.initializer}
    found = {
        each: library().numpy_helper.to_array(stored[each]) for each in wanted if each in stored
    }
    found |= {each: feeds[each] for each in wanted if each in feeds}
    return found | run_once(model, feeds, [each for each in wanted if each not in found], name)


def heard(
    model: onnx.ModelProto,
    name: str,
    feeds: Mapping[str, Array],
    counters: Mapping[str, Counter],
    values: list[str],
) -> Iterator[dict[str, Array]]:
    """Values that are made of counts alone, call by call from the first one on, without end."""
    now = dict(feeds)
    followings = [each.following for each in counters.values() if each.following is not None]
    while True:
        made = run_once(model, now, [*values, *followings], name)
        yield made
        for each, counter in counters.items():
            following = counter.following
            now[each] = now[each] + counter.step if following is None else made[following]


def _rows(
    model: onnx.ModelProto,
    name: str,
    feeds: Mapping[str, Array],
    counters: Mapping[str, Counter],
    values: list[str],
) -> dict[str, list[Array]]:
    """Of each value what it is in every call, until it is what it is after a long time."""
    after = dict(feeds) | {each: np.full_like(feeds[each], _LONG) for each in counters}
    last = run_once(model, after, values, name)
    stays = 0
    rows: dict[str, list[Array]] = {value: [] for value in values}
    for made in islice(heard(model, name, feeds, counters, values), MAX_CALLS):
        for value in values:
            rows[value].append(made[value])
        same = all(np.array_equal(made[value], last[value]) for value in values)
        stays = stays + 1 if same else 0
        if stays == STAYS:
            return {value: row[: 1 - STAYS] for value, row in rows.items()}
    raise UnsupportedError(
        f"{name}: {values[0]!r} still changes after {MAX_CALLS} calls, as {', '.join(counters)} "
        "counts on; a mask must come to an end, and a mean over all that was heard be written as "
        "(mean * count + cumsum(x)) / (count + 1 ... n)"
    )


def _take(
    model: onnx.ModelProto,
    node: Any,
    value: str,
    rows: list[Array],
    fixed: Mapping[str, Array],
    found: dict[str, Moving],
    where: str,
) -> None:
    """Let a node take a moving state in place of a value, of which `rows` are the calls."""
    if rows[0].dtype.kind == "f":
        made = _moving(model, value, [row.astype(np.float32) for row in rows], found, where)
        node.input[:] = [made if each == value else each for each in node.input]
        return
    if rows[0].dtype.kind != "b" or node.op_type != "Where" or node.input[0] != value:
        raise UnsupportedError(
            f"{where}: takes {value!r}, which counts calls; a mask may be the condition of a "
            "Where, or a real number"
        )
    left, right = node.input[1], node.input[2]
    masks = [row if left in fixed else ~row for row in rows]
    constant, rest = (left, right) if left in fixed else (right, left)
    if constant not in fixed:
        raise UnsupportedError(
            f"{where}: picks between two values that a call computes, as a count says; one must be "
            "a constant"
        )
    fill = fixed[constant]
    if fill.size != 1 or not (fill.item() == 0 or fill.item() < LEAST):
        raise UnsupportedError(
            f"{where}: puts {fill.reshape(-1)[:3].tolist()} where a count says; 0 and what is "
            f"below {LEAST:g} have a form"
        )
    hides = fill.item() != 0
    reals = [np.where(mask, MASKED, 0) if hides else np.where(mask, 0, 1) for mask in masks]
    label = f"{value}/{'hides' if hides else 'keeps'}"
    made = _moving(model, label, [each.astype(np.float32) for each in reals], found, where)
    node.op_type = "Add" if hides else "Mul"
    node.input[:] = [rest, made]


def _moving(
    model: onnx.ModelProto, value: str, rows: list[Array], found: dict[str, Moving], where: str
) -> str:
    """The name of a state, or a constant, that is `rows` in the calls."""
    onnx, current = library(), f"{value}/heard"
    for name, state in found.items():
        # Exporters write a mask anew for every layer.
        same = len(state.rows) == len(rows) and rows[0].shape == state.initial.shape
        if same and np.array_equal(state.rows, rows):
            return name
    if any(t.name == current for t in model.graph.initializer):
        return current
    if len(rows) == 1:
        model.graph.initializer.append(onnx.numpy_helper.from_array(rows[0], current))
        return current
    axis, step = _step(rows, where)
    behind, start, end, axes = (f"{current}/{part}" for part in ("behind", "start", "end", "axes"))
    tail = np.take(rows[-1], range(rows[-1].shape[axis] - step, rows[-1].shape[axis]), axis)
    numbers = {start: [step], end: [rows[0].shape[axis]], axes: [axis]}
    arrays = {key: np.array(number, np.int64) for key, number in numbers.items()}
    for key, array in {behind: tail, **arrays}.items():
        model.graph.initializer.append(onnx.numpy_helper.from_array(array, key))
    moved, kept = f"{current}/next", f"{current}/kept"
    helper = onnx.helper
    nodes = [
        helper.make_node("Slice", [current, start, end, axes], [kept], kept),
        helper.make_node("Concat", [kept, behind], [moved], moved, axis=axis),
    ]
    model.graph.node.extend(nodes)
    shape = list(rows[0].shape)
    real = onnx.TensorProto.FLOAT
    model.graph.input.append(helper.make_tensor_value_info(current, real, shape))
    found[current] = Moving(moved, tuple(rows))
    return current


def _step(rows: list[Array], where: str) -> tuple[int, int]:
    """Along which axis, and how far, a value moves from call to call."""
    for axis, size in enumerate(rows[0].shape):
        for step in range(1, size):
            tail = np.take(rows[-1], range(size - step, size), axis)
            moved = (
                np.concatenate([np.take(row, range(step, size), axis), tail], axis) for row in rows
            )
            # Behind the last one, which is what it stays.
            if all(
                np.array_equal(*pair) for pair in zip(moved, [*rows[1:], rows[-1]], strict=True)
            ):
                return axis, step
    raise UnsupportedError(
        f"{where}: takes what is made of a count, and does not move along by as much in every call"
    )
