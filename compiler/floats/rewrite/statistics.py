"""Normalisations and reductions, in the parts that TFLM has."""

import numpy as np

from compiler.floats.graph import Node
from compiler.floats.rewrite.builder import Builder, Rule, Rules, inputs, settled
from npu.model.operators.normalise import MAX_SUMMED


def _reduction(kind: str) -> Rule:
    """Axes as an attribute, for all that older opsets and newer ones write."""

    def rule(b: Builder, node: Node) -> None:
        source = b.name(node.inputs[0])
        axes = settled(b, node, 1, "axes")
        rank = len(b.shape(source))
        if axes is not None and axes.size == 0:
            axes = None
        if axes is None and node.get("noop_with_empty_axes", 0):
            b.same(node.output, source)
            return
        of = sorted({int(a) % rank for a in axes}) if axes is not None else list(range(rank))
        b.emit(
            kind,
            [source],
            b.graph.shapes[node.output],
            node.output,
            node,
            axes=of,
            keepdims=int(node.get("keepdims", 1)),
        )

    return rule


def _over_images(kind: str) -> Rule:
    def rule(b: Builder, node: Node) -> None:
        source = b.name(node.inputs[0])
        axes = list(range(2, len(b.shape(source))))
        shape = b.graph.shapes[node.output]
        b.emit(kind, [source], shape, node.output, node, axes=axes, keepdims=1)

    return rule


def _layer_normalization(b: Builder, node: Node) -> None:
    """(x - mean) / sqrt(variance + epsilon), times a scale, plus an offset."""
    x, *rest = inputs(b, node)
    if len(node.outputs) > 1 and any(b.users[o] for o in node.outputs[1:] if o):
        raise b.graph.refuse(node, "its mean and deviation are taken; only its first output can be")
    rank = len(b.shape(x))
    axes = list(range(int(node.get("axis", -1)) % rank, rank))
    _normalised(b, node, x, axes, rest, ())


def _instance_normalization(b: Builder, node: Node) -> None:
    """The same over each channel's own elements, with a scale and an offset for each channel."""
    x, *rest = inputs(b, node)
    rank = len(b.shape(x))
    _normalised(b, node, x, list(range(2, rank)), rest, (1,) * (rank - 2))


def _normalised(
    b: Builder, node: Node, x: str, axes: list[int], rest: list[str], behind: tuple[int, ...]
) -> None:
    """Along `axes`; scale and offset, of `rest`, with axes of 1 put `behind` them."""
    shape = b.shape(x)
    means = tuple(1 if axis in axes else n for axis, n in enumerate(shape))
    mean = b.emit("ReduceMean", [x], means, at=node, axes=axes, keepdims=1)
    centred = b.emit("Sub", [x, mean], shape, at=node)
    square = b.emit("Mul", [centred, centred], shape, at=node)
    variance = b.emit("ReduceMean", [square], means, at=node, axes=axes, keepdims=1)
    epsilon = b.store(np.float32(node.get("epsilon", 1e-5)))
    raised = b.emit("Add", [variance, epsilon], means, at=node)
    inverse = b.emit("Rsqrt", [raised], means, at=node)
    if any(name and b.constant(name) is None for name in rest):
        raise b.graph.refuse(node, "its scale and offset must be constant")
    scale, offset = (
        data.reshape(*data.shape, *behind)
        if name and (data := b.constant(name)) is not None
        else None
        for name in (*rest, "", "")[:2]
    )
    here = b.emit("Mul", [centred, inverse], shape, at=node)
    if scale is not None and np.any(scale != 1):
        here = b.emit("Mul", [here, b.store(scale)], shape, at=node)
    if offset is not None and np.any(offset != 0):
        here = b.emit("Add", [here, b.store(offset)], shape, at=node)
    b.same(node.output, here)


def _softmax(b: Builder, node: Node) -> None:
    """The axis counted from the front. Of rows that are too long for TFLM's sums in their parts."""
    x, output = b.name(node.inputs[0]), node.output
    shape = b.shape(x)
    axis = int(node.get("axis", -1)) % max(len(shape), 1)
    if not shape or shape[axis] <= MAX_SUMMED:
        b.emit(node.kind, [x], shape, output, node, axis=axis)
        return
    kept = tuple(1 if number == axis else n for number, n in enumerate(shape))
    most = b.emit("ReduceMax", [x], kept, at=node, axes=[axis], keepdims=1)
    below = b.emit("Sub", [x, most], shape, at=node)
    shares = b.emit("Exp", [below], shape, at=node)
    total = b.emit("ReduceSum", [shares], kept, at=node, axes=[axis], keepdims=1)
    if node.kind == "LogSoftmax":
        whole = b.emit("Log", [total], kept, at=node)
        b.emit("Sub", [below, whole], shape, output, node)
        return
    inverse = b.emit("Reciprocal", [total], kept, at=node)
    b.emit("Mul", [shares, inverse], shape, output, node)


def _sum_of(before: str | None, behind: str | None) -> Rule:
    """A sum of a function of each element, and a function of that.

    before : a kind, of which Mul is the square
    """

    def rule(b: Builder, node: Node) -> None:
        here, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
        axes, rank = settled(b, node, 1, "axes"), len(b.shape(here))
        of = sorted({int(a) % rank for a in axes}) if axes is not None else list(range(rank))
        if before is not None:
            taken = [here, here] if before == "Mul" else [here]
            here = b.emit(before, taken, b.shape(here), at=node)
        told = {"axes": of, "keepdims": int(node.get("keepdims", 1))}
        output = node.output if behind is None else None
        total = b.emit("ReduceSum", [here], shape, output, node, **told)
        if behind is not None:
            b.emit(behind, [total], shape, node.output, node)

    return rule


def _log_sum_exp(b: Builder, node: Node) -> None:
    """The largest value, and the logarithm of the sum of exp(x - that), which stays within 1 and
    the number of values."""
    x, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
    axes, before = settled(b, node, 1, "axes"), b.shape(x)
    rank = len(before)
    of = sorted({int(a) % rank for a in axes}) if axes is not None else list(range(rank))
    kept = tuple(1 if axis in of else n for axis, n in enumerate(before))
    most = b.emit("ReduceMax", [x], kept, at=node, axes=of, keepdims=1)
    shares = b.emit("Exp", [b.emit("Sub", [x, most], before, at=node)], before, at=node)
    total = b.emit("ReduceSum", [shares], kept, at=node, axes=of, keepdims=1)
    logarithm = b.emit("Log", [total], kept, at=node)
    whole = b.emit("Add", [most, logarithm], kept, at=node)
    b.emit("Reshape", [whole], shape, node.output, node)


RULES: Rules = {
    "InstanceNormalization": _instance_normalization,
    "ReduceL1": _sum_of("Abs", None),
    "ReduceL2": _sum_of("Mul", "Sqrt"),
    "ReduceLogSum": _sum_of(None, "Log"),
    "ReduceLogSumExp": _log_sum_exp,
    "ReduceSumSquare": _sum_of("Mul", None),
    "ReduceMean": _reduction("ReduceMean"),
    "ReduceSum": _reduction("ReduceSum"),
    "ReduceMax": _reduction("ReduceMax"),
    "ReduceMin": _reduction("ReduceMin"),
    "GlobalAveragePool": _over_images("ReduceMean"),
    "GlobalMaxPool": _over_images("ReduceMax"),
    "LayerNormalization": _layer_normalization,
    "Softmax": _softmax,
    "LogSoftmax": _softmax,
}
