"""Images in another size: bilinear ones as products with two matrices, nearest ones as they are."""

import numpy as np

from compiler.floats.graph import Array
from compiler.frontends.tflite_float.site import TO_NCHW, TO_NHWC, Rule, Site


def _bilinear(site: Site) -> None:
    """Rows, then columns: each place is a sum of two neighbours, so a matrix of few numbers.

    TFLM's operator weighs four at once, which the chip has not.
    """
    told, wanted = site.options("ResizeBilinearOptions"), site.integers(1, "size")
    align, half = bool(told.AlignCorners()), bool(told.HalfPixelCenters())
    image = site.shape(0)[1:3]
    here = site.turned(site.input(0), TO_NCHW)
    for turn, (source, target) in enumerate(zip(image[::-1], wanted[::-1], strict=True)):
        if source != target:
            if turn:
                here = site.turned(here, (0, 1, 3, 2))
            matrix = between(source, target, align, half)
            here = site.emit("MatMul", [here, site.store(matrix, np.float32)])
            if turn:
                here = site.turned(here, (0, 1, 3, 2))
    site.turned(here, TO_NHWC, site.output)


def between(source: int, target: int, align: bool, half: bool) -> Array:
    """(source, target) float32: the shares of each place of `source` in each of `target`."""
    if align and target > 1:
        scale = np.float32(source - 1) / np.float32(target - 1)
    else:
        scale = np.float32(source) / np.float32(target)
    places = np.arange(target, dtype=np.float32)
    places = (places + np.float32(0.5)) * scale - np.float32(0.5) if half else places * scale
    below = np.floor(places)
    share = places - below
    matrix = np.zeros((source, target), np.float32)
    columns = np.arange(target)
    for at, weight in ((below, 1 - share), (below + 1, share)):
        np.add.at(matrix, (np.clip(at, 0, source - 1).astype(int), columns), weight)
    return matrix


def _nearest(site: Site) -> None:
    told, size = site.options("ResizeNearestNeighborOptions"), site.integers(1, "size")
    align, half = bool(told.AlignCorners()), bool(told.HalfPixelCenters())
    batch, _, _, channels = site.shape(0)
    mode = "align_corners" if align else "half_pixel" if half else "asymmetric"
    made = site.emit(
        "Resize",
        [site.turned(site.input(0), TO_NCHW), "", "", site.store([batch, channels, *size])],
        mode="nearest",
        coordinate_transformation_mode=mode,
        nearest_mode="floor" if mode == "asymmetric" else "round_prefer_ceil",
    )
    site.turned(made, TO_NHWC, site.output)


RULES: dict[str, Rule] = {
    "RESIZE_BILINEAR": _bilinear,
    "RESIZE_NEAREST_NEIGHBOR": _nearest,
}
