"""Transposed convolutions: groups, dilations and what is added to the output go into the weights.

TFLM's TRANSPOSE_CONV has none of them, and the chip skips the zeros that they leave in a matrix.
"""

from dataclasses import replace

import numpy as np

from compiler.floats.graph import Array, Node
from compiler.floats.rewrite.builder import Builder, Rules, inputs


def _conv_transpose(b: Builder, node: Node) -> None:
    names = inputs(b, node)
    weights = b.constant(names[1])
    plain = node.get("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    if weights is None or not plain:
        b.keep(node)
        return
    axes = weights.ndim - 2
    group = int(node.get("group", 1))
    apart = [int(d) for d in node.get("dilations") or [1] * axes]
    more = any(node.get("output_padding") or []) or bool(node.get("output_shape"))
    if group == 1 and apart == [1] * axes and not more:
        b.keep(node)
        return
    spread = _spread(_whole(weights, group), apart)
    begins, ends, margins = [], [], []
    for axis in range(axes):
        begin, end, margin = _ends(b, node, axis, spread.shape[2 + axis])
        begins.append(begin)
        ends.append(end)
        margins.append(margin)
    spread = np.pad(spread, [(0, 0), (0, 0), *margins])
    told = {
        "strides": list(node.get("strides") or [1] * axes),
        "kernel_shape": list(spread.shape[2:]),
        "pads": begins + ends,
    }
    operands = (names[0], b.store(spread), *names[2:])
    b.keep(replace(node, inputs=operands, attributes=told))


def _whole(weights: Array, group: int) -> Array:
    """One matrix of all groups, zeros between them: (inputs, outputs of all groups, ...)."""
    if group == 1:
        return weights
    rows, columns = weights.shape[0] // group, weights.shape[1]
    made = np.zeros((len(weights), columns * group, *weights.shape[2:]), weights.dtype)
    for number in range(group):
        of = slice(number * rows, (number + 1) * rows)
        made[of, number * columns : (number + 1) * columns] = weights[of]
    return made


def _spread(weights: Array, apart: list[int]) -> Array:
    """Windows with zeros between elements that lie a dilation apart."""
    sizes = [(n - 1) * d + 1 for n, d in zip(weights.shape[2:], apart, strict=True)]
    made = np.zeros((*weights.shape[:2], *sizes), weights.dtype)
    made[(slice(None), slice(None), *(slice(None, None, d) for d in apart))] = weights
    return made


def _ends(b: Builder, node: Node, axis: int, kernel: int) -> tuple[int, int, tuple[int, int]]:
    """What is cut off before and behind, and the zeros that the window gets on both sides.

    The whole output of n elements has (n - 1) * stride + kernel; what is wanted beyond is the bias.
    """
    axes = len(b.graph.shapes[node.output]) - 2
    stride = int((node.get("strides") or [1] * axes)[axis])
    count, wanted = b.shape(b.name(node.inputs[0]))[2 + axis], b.graph.shapes[node.output][2 + axis]
    whole = (count - 1) * stride + kernel
    if node.get("output_shape"):
        added = int((node.get("output_padding") or [0] * axes)[axis])
        cut = whole + added - wanted
        begin = cut - cut // 2
    else:
        begin = int((node.get("pads") or [0] * 2 * axes)[axis])
    before = max(0, -begin)
    behind = max(0, begin + wanted - whole)
    begin = max(0, begin)
    return begin, whole + before + behind - begin - wanted, (before, behind)


RULES: Rules = {"ConvTranspose": _conv_transpose}
