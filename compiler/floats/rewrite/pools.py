"""Means of windows that stand out of an image, which TFLM counts in one way alone."""

import numpy as np

from compiler.floats.graph import Node
from compiler.floats.rewrite.builder import Builder, Rules

Pair = tuple[int, int]


def same_padding(size: int, kernel: int, stride: int, dilation: int, lower: bool = False) -> Pair:
    """What stands before and behind an axis so that it has `size` / `stride` windows, rounded up.

    lower : whether the odd one stands before it.
    """
    span = (kernel - 1) * dilation + 1
    windows = -(-size // stride)
    total = max(0, (windows - 1) * stride + span - size)
    return (total - total // 2, total // 2) if lower else (total // 2, total - total // 2)


def padding_of(node: Node, image: tuple[int, ...], windows: tuple[int, ...]) -> list[Pair]:
    """What a pool's windows need before and behind each axis, with what `ceil_mode` adds.

    image, windows : sizes of its input and of its output, without batch and channels
    """
    rank, kernel = len(image), node.get("kernel_shape")
    strides, steps = (node.get(k) or [1] * rank for k in ("strides", "dilations"))
    auto, pads = node.get("auto_pad", "NOTSET"), node.get("pads") or [0] * (2 * rank)
    found = []
    for axis, size in enumerate(image):
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            of = (kernel[axis], strides[axis], steps[axis])
            begin, end = same_padding(size, *of, lower=auto == "SAME_LOWER")
        else:
            begin, end = (0, 0) if auto == "VALID" else (pads[axis], pads[rank + axis])
        span = (kernel[axis] - 1) * steps[axis] + 1
        beyond = (windows[axis] - 1) * strides[axis] + span - (begin + size + end)
        found.append((begin, end + max(0, beyond)))
    return found


def _average(b: Builder, node: Node) -> None:
    """Where only what is inside counts: the mean over zeros too, times what makes up for them."""
    source = b.name(node.inputs[0])
    before, shape = b.shape(source), b.graph.shapes[node.output]
    image, windows, kernel = before[2:], shape[2:], node.get("kernel_shape")
    strides = node.get("strides") or [1] * len(image)
    pads = padding_of(node, image, windows)
    same = [same_padding(size, k, s, 1) for size, k, s in zip(image, kernel, strides, strict=True)]
    if node.get("count_include_pad", 0) or pads == same or not np.any(pads):
        b.keep(node)
        return
    if min(x for pair in pads for x in pair) < 0:
        raise b.graph.refuse(node, f"its pads are {list(node.get('pads'))}; they must be 0 or more")
    begins, ends = ([0, 0, *side] for side in zip(*pads, strict=True))
    wide = [n + x + y for n, x, y in zip(before, begins, ends, strict=True)]
    padded = b.emit("Pad", [source], wide, at=node, begins=begins, ends=ends, value=0.0)
    told = {"kernel_shape": kernel, "strides": strides}
    mean = b.emit("AveragePool", [padded], shape, at=node, **told)
    factor = np.ones(())
    for size, count, k, s, (begin, _) in zip(image, windows, kernel, strides, pads, strict=True):
        first = np.arange(count) * s - begin
        inside = np.minimum(first + k, size) - np.maximum(first, 0)
        factor = factor[..., None] * (k / np.maximum(inside, 1))
    b.emit("Mul", [mean, b.store(factor)], shape, node.output, node)


RULES: Rules = {"AveragePool": _average}
