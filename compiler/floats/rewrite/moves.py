"""What moves elements: positions and shapes as attributes, and as few kinds as there can be."""

from itertools import pairwise
from math import prod

import numpy as np

from compiler.floats.graph import Node
from compiler.floats.rewrite.builder import Builder, Rules, inputs, settled

_MOST_AXES = 5
"""That TFLM's TRANSPOSE takes."""


def _alias(b: Builder, node: Node) -> None:
    b.same(node.output, b.name(node.inputs[0]))


def _dropout(b: Builder, node: Node) -> None:
    training = settled(b, node, 2, "training_mode")
    if training is not None and np.any(training):
        raise b.graph.refuse(node, "it is in training mode; export the model for inference")
    _alias(b, node)


def _cast(b: Builder, node: Node) -> None:
    """Between reals, and between integers: nothing. From reals to integers is kept, and refused."""
    source = b.name(node.inputs[0])
    if b.constant(source) is not None or (source in b.integers) == (node.output in b.integers):
        b.same(node.output, source)
    elif (symbols := _symbols_of(b, source)) is not None and node.output in b.integers:
        b.same(node.output, symbols)
    else:
        b.keep(node)


def _symbols_of(b: Builder, name: str) -> str | None:
    """The integers that a real value is, kept from being negative, which symbols never are:
    opset 11 clips no integers."""
    node = b.producer(name)
    while node is not None and node.kind == "Relu":
        node = b.producer(node.inputs[0])
    found = node is not None and node.kind == "Cast" and node.inputs[0] in b.integers
    return node.inputs[0] if node is not None and found else None


def _reshape(b: Builder, node: Node) -> None:
    reshape(b, node, b.name(node.inputs[0]), b.shape(node.output), node.output)


def reshape(
    b: Builder, node: Node, source: str, shape: tuple[int, ...], output: str | None = None
) -> str:
    """A value in another shape. Of reshapes that follow each other the last one is left."""
    before = b.producer(source)
    if before is not None and before.kind == "Reshape":
        source = before.inputs[0]
    if b.shape(source) == tuple(shape):
        if output is not None:
            b.same(output, source)
        return source
    return b.emit("Reshape", [source], shape, output, node)


def _transpose(b: Builder, node: Node) -> None:
    source = b.name(node.inputs[0])
    shape = b.shape(source)
    order = tuple(node.get("perm") or range(len(shape))[::-1])
    transpose(b, node, source, order, node.output)


def transpose(
    b: Builder, node: Node, source: str, order: tuple[int, ...], output: str | None = None
) -> str:
    """A value with its axes in another order; a reshape where only axes of 1 change places."""
    shape = b.shape(source)
    moved = tuple(shape[axis] for axis in order)
    if all(a < b for a, b in pairwise(axis for axis in order if shape[axis] != 1)):
        return reshape(b, node, source, moved, output)
    if len(shape) > _MOST_AXES:
        together = _runs(order, shape)
        begins = sorted(range(len(together)), key=lambda at: together[at][0])
        sizes = tuple(prod(shape[axis] for axis in together[at]) for at in begins)
        perm = tuple(begins.index(at) for at in range(len(together)))
        if len(together) > _MOST_AXES:
            raise b.graph.refuse(
                node, f"it moves {len(together)} axes of {list(shape)}; at most {_MOST_AXES} do"
            )
        whole = reshape(b, node, source, sizes)
        turned = b.emit("Transpose", [whole], [sizes[axis] for axis in perm], at=node, perm=perm)
        return reshape(b, node, turned, moved, output)
    return b.emit("Transpose", [source], moved, output, node, perm=order)


def _runs(order: tuple[int, ...], shape: tuple[int, ...]) -> list[list[int]]:
    """Axes of more than 1 in their new order, those that stay behind each other together."""
    found: list[list[int]] = []
    wide = [axis for axis in range(len(shape)) if shape[axis] != 1]
    for axis in (axis for axis in order if shape[axis] != 1):
        if found and wide.index(axis) == wide.index(found[-1][-1]) + 1:
            found[-1].append(axis)
        else:
            found.append([axis])
    return found


def _depth_to_space(b: Builder, node: Node) -> None:
    """Channels to places, blocks within a channel (CRD, as PyTorch's PixelShuffle): a transpose."""
    if node.get("mode", "DCR") != "CRD":
        b.keep(node)
        return
    source, size = b.name(node.inputs[0]), int(node.get("blocksize"))
    count, channels, height, width = b.shape(source)
    wide = (count, channels // size**2, size, size, height, width)
    turned = transpose(b, node, reshape(b, node, source, wide), (0, 1, 4, 2, 5, 3))
    reshape(b, node, turned, b.graph.shapes[node.output], node.output)


def _slice(b: Builder, node: Node) -> None:
    source = b.name(node.inputs[0])
    shape = b.shape(source)
    starts, ends = settled(b, node, 1, "starts"), settled(b, node, 2, "ends")
    axes, steps = settled(b, node, 3, "axes"), settled(b, node, 4, "steps")
    assert starts is not None and ends is not None, "the checker found them"
    of = range(len(starts)) if axes is None else [int(a) % len(shape) for a in axes]
    every = [1] * len(starts) if steps is None else [int(s) for s in steps]
    pieces = [slice(0, n, 1) for n in shape]
    backwards = []
    for axis, start, end, step in zip(of, starts, ends, every, strict=True):
        first, last, _ = slice(int(start), int(end), step).indices(shape[axis])
        pieces[axis] = slice(first, last, step)
        if step < 0:
            found = range(first, last, step)
            backwards.append(axis)
            pieces[axis] = slice(found[-1], first + 1, -step) if found else slice(0, 0, 1)
    here = cut(b, node, source, pieces, None if backwards else node.output)
    for axis in backwards:
        parts = _picked(b, node, here, axis, list(range(b.shape(here)[axis]))[::-1])
        joined = b.shape(here)
        here = parts[0]
        if len(parts) > 1:
            here = b.emit("Concat", parts, joined, at=node, axis=axis)
    if backwards:
        b.same(node.output, here)


def cut(b: Builder, node: Node, source: str, pieces: list[slice], output: str | None = None) -> str:
    """A box of a value, a slice with start, stop and step for each axis."""
    shape = tuple(len(range(p.start, p.stop, p.step)) for p in pieces)
    if 0 in shape:
        raise b.graph.refuse(node, f"what it picks is empty: {list(shape)}")
    if shape == b.shape(source):
        if output is not None:
            b.same(output, source)
        return source
    starts, ends, steps = ([getattr(p, k) for p in pieces] for k in ("start", "stop", "step"))
    return b.emit("Slice", [source], shape, output, node, starts=starts, ends=ends, steps=steps)


def _split(b: Builder, node: Node) -> None:
    source = b.name(node.inputs[0])
    shape = b.shape(source)
    axis, at = node.get("axis", 0) % len(shape), 0
    for output in node.outputs:
        size = b.graph.shapes[output][axis] if output else 0
        pieces = [slice(0, n, 1) for n in shape]
        pieces[axis] = slice(at, at + size, 1)
        if output:
            cut(b, node, source, pieces, output)
        at += size


def _gather(b: Builder, node: Node) -> None:
    """Known indices on what is computed: a slice where they follow each other."""
    source, indices = inputs(b, node)
    shape, known = b.shape(source), b.constant(indices)
    axis = node.get("axis", 0) % len(shape)
    if known is None:
        if axis != 0 or b.constant(source) is None:
            raise b.graph.refuse(
                node, "indices that a call gives pick rows of a constant table (axis 0) only"
            )
        b.keep(node)
        return
    flat = [int(i) % shape[axis] for i in known.reshape(-1)]
    step = flat[1] - flat[0] if len(flat) > 1 else 1
    if step < 1 or any(later - sooner != step for sooner, later in pairwise(flat)):
        parts = [cut(b, node, source, _one(shape, axis, i)) for i in flat]
        joined = [*shape[:axis], len(flat), *shape[axis + 1 :]]
        picked = b.emit("Concat", parts, joined, at=node, axis=axis)
    else:
        pieces = [slice(0, n, 1) for n in shape]
        pieces[axis] = slice(flat[0], flat[-1] + 1, step)
        picked = cut(b, node, source, pieces)
    reshape(b, node, picked, b.graph.shapes[node.output], node.output)


def _one(shape: tuple[int, ...], axis: int, index: int) -> list[slice]:
    pieces = [slice(0, n, 1) for n in shape]
    pieces[axis] = slice(index, index + 1, 1)
    return pieces


def _concat(b: Builder, node: Node) -> None:
    parts = inputs(b, node)
    shape = b.graph.shapes[node.output]
    parts = [part for part in parts if 0 not in b.shape(part)]
    if len(parts) == 1:
        b.same(node.output, parts[0])
        return
    b.emit("Concat", parts, shape, node.output, node, axis=node.get("axis", 0) % len(shape))


def _expand(b: Builder, node: Node) -> None:
    source, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
    if prod(shape) == prod(b.shape(source)):
        reshape(b, node, source, shape, node.output)
    else:
        b.emit("Expand", [source], shape, node.output, node)


def _tile(b: Builder, node: Node) -> None:
    here = b.name(node.inputs[0])
    repeats = settled(b, node, 1, "repeats")
    assert repeats is not None
    for axis, times in enumerate(int(n) for n in repeats):
        if times > 1:
            shape = list(b.shape(here))
            shape[axis] *= times
            here = b.emit("Concat", [here] * times, shape, at=node, axis=axis)
    b.same(node.output, here)


def _pad(b: Builder, node: Node) -> None:
    source = b.name(node.inputs[0])
    if node.get("begins") is not None:
        b.keep(node)
        return
    shape, mode = b.shape(source), node.get("mode", "constant")
    pads, value = settled(b, node, 1, "pads"), settled(b, node, 2, "value")
    axes = settled(b, node, 3, "axes")
    assert pads is not None
    of = range(len(shape)) if axes is None else [int(a) % len(shape) for a in axes]
    begins, ends = [0] * len(shape), [0] * len(shape)
    for number, axis in enumerate(of):
        begins[axis], ends[axis] = int(pads[number]), int(pads[number + len(of)])
    if min(begins + ends) < 0:
        pieces = [
            slice(max(0, -x), n - max(0, -y), 1)
            for x, y, n in zip(begins, ends, shape, strict=True)
        ]
        source = cut(b, node, source, pieces)
        begins, ends = [max(0, x) for x in begins], [max(0, y) for y in ends]
    if mode != "constant":
        _mirrored(b, node, source, list(zip(begins, ends, strict=True)), mode)
        return
    filled = float(np.asarray(value if value is not None else 0.0).reshape(-1)[0])
    if not any(begins + ends):
        b.same(node.output, source)
        return
    shape = b.graph.shapes[node.output]
    b.emit("Pad", [source], shape, node.output, node, begins=begins, ends=ends, value=filled)


_FEW = 8
"""Elements that are put beside others by a join; more of them by a matrix of 0 and 1."""


def _mirrored(b: Builder, node: Node, here: str, pairs: list[tuple[int, int]], mode: str) -> None:
    """Borders that repeat elements, axis by axis."""
    for axis, (begin, end) in enumerate(pairs):
        if not begin + end:
            continue
        shape = b.shape(here)
        picks = np.pad(np.arange(shape[axis]), (begin, end), mode)  # type: ignore[call-overload]
        parts = [
            *_picked(b, node, here, axis, [int(i) for i in picks[:begin]]),
            here,
            *_picked(b, node, here, axis, [int(i) for i in picks[len(picks) - end :]]),
        ]
        made = [*shape[:axis], len(picks), *shape[axis + 1 :]]
        here = b.emit("Concat", parts, made, at=node, axis=axis)
    b.same(node.output, here)


def _picked(b: Builder, node: Node, here: str, axis: int, picks: list[int]) -> list[str]:
    """Elements of an axis in this order, in parts: of many a product of those that they lie among.

    The chip's products skip the zeros of the matrix.
    """
    shape = b.shape(here)
    if len(picks) <= _FEW:
        return [cut(b, node, here, _one(shape, axis, i)) for i in picks]
    first, last = min(picks), max(picks) + 1
    pieces = [slice(0, n, 1) for n in shape]
    pieces[axis] = slice(first, last, 1)
    order = [*(a for a in range(len(shape)) if a != axis), axis]
    turned = transpose(b, node, cut(b, node, here, pieces), tuple(order))
    matrix = (np.arange(first, last)[:, None] == np.array(picks)).astype(np.float32)
    wide = [shape[a] for a in order[:-1]] + [len(picks)]
    product = b.emit("MatMul", [turned, b.store(matrix)], wide, at=node)
    return [transpose(b, node, product, tuple(int(a) for a in np.argsort(order)))]


RULES: Rules = {
    "Identity": _alias,
    "Dropout": _dropout,
    "Cast": _cast,
    "Reshape": _reshape,
    "Squeeze": _reshape,
    "Unsqueeze": _reshape,
    "Flatten": _reshape,
    "Transpose": _transpose,
    "DepthToSpace": _depth_to_space,
    "Slice": _slice,
    "Split": _split,
    "Gather": _gather,
    "Concat": _concat,
    "Expand": _expand,
    "Tile": _tile,
    "Pad": _pad,
}
