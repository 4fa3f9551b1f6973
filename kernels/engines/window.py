"""Filters times windows of images, requantised: every product that is not a matrix of its own.

The matrices of `dense` and `sparse` fold what they can into their offsets; this loop folds nothing,
so it also serves weights with a zero point, and weights that are only known when it runs.
"""

from dataclasses import dataclass

import numpy as np

from kernels.engines.dense import check_array
from npu.jit import kernel
from npu.model.numerics import requantize
from npu.model.operators.product import MatVecParams
from npu.model.window import Window


@kernel
def window_products(inputs, weights, bias, multipliers, shifts, geometry, zeros, outputs):
    """outputs[n, y, x, r] = requantize(weights[r] . window (y, x) of inputs[n], bias[r], ...).

    `geometry` is (down, across) of stride, dilation, first tap and spreading: the inputs stand
    spread by that factor, with nothing between them. `zeros` are the zero points of inputs,
    weights and outputs, then the clamp. Groups of channels follow from the shapes.
    """
    down, across, rows_apart, columns_apart, top, left, spread_y, spread_x = geometry
    input_zero, weights_zero = np.int32(zeros[0]), np.int32(zeros[1])
    depth = weights.shape[3]
    group_rows = weights.shape[0] // (inputs.shape[3] // depth)
    for n in range(outputs.shape[0]):
        for y in range(outputs.shape[1]):
            for x in range(outputs.shape[2]):
                for r in range(weights.shape[0]):
                    first = r // group_rows * depth
                    acc = np.int32(0)
                    for j in range(weights.shape[1]):
                        from_y = y * down + j * rows_apart - top
                        if spread_y > 1:
                            if from_y % spread_y != 0:
                                continue
                            from_y //= spread_y
                        if from_y < 0 or from_y >= inputs.shape[1]:
                            continue
                        for i in range(weights.shape[2]):
                            from_x = x * across + i * columns_apart - left
                            if spread_x > 1:
                                if from_x % spread_x != 0:
                                    continue
                                from_x //= spread_x
                            if from_x < 0 or from_x >= inputs.shape[2]:
                                continue
                            values = inputs[n, from_y, from_x, first : first + depth]
                            taps = weights[r, j, i]
                            # int32 throughout, so that it wraps as the C source does.
                            for c in range(depth):
                                acc = np.int32(
                                    acc
                                    + (np.int32(taps[c]) - weights_zero)
                                    * (np.int32(values[c]) - input_zero)
                                )
                    outputs[n, y, x, r] = requantize(
                        np.int64(acc),
                        np.int64(bias[r]),
                        np.int64(multipliers[r]),
                        np.int64(shifts[r]),
                        zeros[2],
                        zeros[3],
                        zeros[4],
                    )


@dataclass(frozen=True, eq=False)
class WindowProducts:
    """Products of one operator's windows, ready to run.

    Attributes
    ----------
    params : scales and clamp, one a filter.
    bias : (filters,) int32, or None for zeros.
    window : the taps; the first one may lie outside of the image further than its padding says
    spread : what (down, across) the inputs are spread by
    """

    params: MatVecParams
    bias: np.ndarray | None
    window: Window
    spread: tuple[int, int] = (1, 1)

    def run(self, inputs: np.ndarray, weights: np.ndarray, outputs: np.ndarray) -> None:
        """Fill `outputs` (batch, down, across, filters) from images and filters, all int8.

        `inputs` are (batch, height, width, channels), `weights` (filters, height, width, channels
        of a group). Raises ValueError for other shapes and types.
        """
        p, window = self.params, self.window
        filters, depth, channels = weights.shape[0], weights.shape[3], inputs.shape[3]
        check_array("inputs", inputs, (outputs.shape[0], *inputs.shape[1:3], channels), np.int8)
        check_array("weights", weights, (filters, *window.size, depth), np.int8)
        check_array("outputs", outputs, (*outputs.shape[:3], filters), np.int8)
        if channels % depth or filters % (channels // depth):
            raise ValueError(f"{filters} filters of {depth} do not share {channels} channels")
        # A copy is writable; the loop is compiled for nothing else.
        bias = np.zeros(filters, np.int32) if self.bias is None else self.bias.copy()
        for name, array in (("bias", bias), ("multipliers", p.multipliers), ("shifts", p.shifts)):
            check_array(name, array, (filters,), np.int32)
        geometry = (*window.stride, *window.dilation, *window.padding[:2], *self.spread)
        zeros = (p.input_zero_point, p.weights_zero_point, p.output_zero_point, p.lo, p.hi)
        window_products(inputs, weights, bias, p.multipliers, p.shifts, geometry, zeros, outputs)
