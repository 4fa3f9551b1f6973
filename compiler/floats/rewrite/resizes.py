"""Images in another size: the nearest element as TFLM counts it, else a matrix for each axis.

Each place of the output is a sum of few places of the input, whatever the mode: linear, cubic, or
nearest in a way that TFLM does not know.
"""

from collections.abc import Callable

import numpy as np

from compiler.floats.graph import Array, Node
from compiler.floats.rewrite.builder import Builder, Rules, settled
from compiler.floats.rewrite.moves import transpose

_MOST_PLACES = 1 << 20
"""Elements of a matrix."""

WORDS = {
    "asymmetric": "floor",
    "half_pixel": "round_prefer_ceil",
    "align_corners": "round_prefer_ceil",
}
"""How TFLM counts: transformations of coordinates, and how each is rounded."""

_ROUNDED: dict[str, Callable[[Array], Array]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}


def _places(how: str, source: int, target: int, scale: float) -> Array | None:
    """Where in the input the places of the output lie; None for what is unknown."""
    x = np.arange(target, dtype=np.float64)
    match how:
        case "half_pixel":
            return (x + 0.5) / scale - 0.5
        case "pytorch_half_pixel":
            return (x + 0.5) / scale - 0.5 if target > 1 else np.zeros(1)
        case "half_pixel_symmetric":
            # The image stays in the middle where `scale` does not give whole sizes.
            offset = source / 2 * (1 - target / (scale * source))
            return offset + (x + 0.5) / scale - 0.5
        case "align_corners":
            return x * (source - 1) / (target - 1) if target > 1 else np.zeros(1)
        case "asymmetric":
            return x / scale
    return None


def _matrix(node: Node, places: Array, source: int) -> Array:
    """(source, target): the share of each place of the input in each of the output."""
    mode = node.get("mode", "nearest")
    base = np.floor(places)
    share = places - base
    if mode == "nearest":
        rounded = _ROUNDED[node.get("nearest_mode", "round_prefer_floor")](places)
        taps = [(rounded, np.ones(len(places)))]
    elif mode == "linear":
        taps = [(base, 1 - share), (base + 1, share)]
    else:
        a = float(node.get("cubic_coeff_a", -0.75))
        taps = [(base + k, _cubic(a, share - k)) for k in (-1, 0, 1, 2)]
    matrix, columns = np.zeros((source, len(places))), np.arange(len(places))
    for at, weight in taps:
        inside = np.clip(at, 0, source - 1).astype(int)
        if mode == "cubic" and node.get("exclude_outside", 0):
            weight = np.where(inside == at, weight, 0.0)
        np.add.at(matrix, (inside, columns), weight)
    return matrix / matrix.sum(axis=0) if mode == "cubic" else matrix


def _cubic(a: float, x: Array) -> Array:
    """Keys' kernel."""
    x = np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _resize(b: Builder, node: Node) -> None:
    here, shape = b.name(node.inputs[0]), b.graph.shapes[node.output]
    how, mode = node.get("coordinate_transformation_mode", "half_pixel"), node.get("mode")
    before = b.shape(here)
    scales = _scales(b, node, before, shape)
    matrices: dict[int, Array] = {}
    for axis, (source, target) in enumerate(zip(before, shape, strict=True)):
        places = _places(how, source, target, scales[axis])
        if places is None or node.get("antialias", 0) or source * target > _MOST_PLACES:
            raise b.graph.refuse(
                node,
                f"{mode!r} with {how!r} from {list(before)} to {list(shape)}"
                f"{', smoothed first,' if node.get('antialias', 0) else ''} does not run; take "
                "'nearest' with 'asymmetric' and 'floor', or resize outside of the model",
            )
        found = _matrix(node, places, source)
        if source != target or not np.array_equal(found, np.eye(source)):
            matrices[axis] = found
    word = _word(before, shape, matrices)
    if word is not None:
        told = {"mode": "nearest", "coordinate_transformation_mode": word}
        size = b.store(np.array(shape, np.int64))
        operands = [here, "", "", size]
        b.emit("Resize", operands, shape, node.output, node, nearest_mode=WORDS[word], **told)
        return
    for axis, matrix in sorted(matrices.items(), key=lambda item: item[1].shape[1]):
        made = list(b.shape(here))
        order = [*(a for a in range(len(made)) if a != axis), axis]
        turned = transpose(b, node, here, tuple(order))
        made[axis] = matrix.shape[1]
        product = b.emit("MatMul", [turned, b.store(matrix)], [made[a] for a in order], at=node)
        here = transpose(b, node, product, tuple(int(a) for a in np.argsort(order)))
    b.same(node.output, here)


def _scales(b: Builder, node: Node, before: tuple[int, ...], shape: tuple[int, ...]) -> list[float]:
    found = [behind / size for size, behind in zip(before, shape, strict=True)]
    told = settled(b, node, 2, "scales")
    if told is not None and told.size:
        axes = node.get("axes") or range(len(before))
        for axis, scale in zip(axes, told.reshape(-1), strict=True):
            found[axis] = float(scale)
    return found


def _word(
    before: tuple[int, ...], shape: tuple[int, ...], matrices: dict[int, Array]
) -> str | None:
    """What TFLM calls it when it picks the same elements of an image; None where it cannot."""
    if len(before) not in (3, 4) or not matrices or min(matrices) < 2:
        return None
    for word, rounding in WORDS.items():
        same = True
        for axis, matrix in matrices.items():
            source, target = before[axis], shape[axis]
            places = _places(word, source, target, target / source)
            assert places is not None, "TFLM's ways are known"
            rounded = _ROUNDED[rounding](places.astype(np.float32))
            at = np.clip(rounded, 0, source - 1).astype(int)
            same = same and np.array_equal(matrix, np.eye(source)[:, at])
        if same:
            return word
    return None


RULES: Rules = {"Resize": _resize}
