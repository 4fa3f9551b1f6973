"""From what was seen of a tensor to the grid of integers that stands for it.

As TFLite's quantiser after training does it: activations are int8 with a zero point, weights int8
around zero, the cell state of an LSTM int16 with a power of two.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from npu.errors import ModelError
from npu.model.graph import DTYPE_RANGES, Tensor

LOWEST, HIGHEST = DTYPE_RANGES["int8"]
MOST = 127
"""Of |weight|: -128 is left out, so that weights are symmetric."""

_BIAS = DTYPE_RANGES["int32"]
CELL_EXPONENTS = range(-15, -8)
"""Of a cell state's step: from what the converter gives at least to what TFLite takes at most."""

_CELL_BITS = 15

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Grid:
    """`real = scale * (q - zero_point)` for q of `dtype`, int8 or int16; `scale` is a float32."""

    scale: np.float32
    zero_point: int = 0
    dtype: str = "int8"

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", np.float32(self.scale))
        object.__setattr__(self, "zero_point", int(self.zero_point))
        if not (np.isfinite(self.scale) and self.scale > 0):
            raise ModelError(f"a grid's scale must be a positive float32, not {self.scale}")
        lowest, highest = DTYPE_RANGES[self.dtype]
        if not lowest <= self.zero_point <= highest:
            raise ModelError(
                f"a grid's zero point must be {lowest} to {highest}, not {self.zero_point}"
            )

    @classmethod
    def of(cls, tensor: Tensor) -> "Grid | None":
        """The grid of an activation of a graph, None where it has none."""
        found = tensor.quantization
        return None if found is None else cls(found.scale[0], found.zero_point, tensor.dtype)

    def quantised(self, values: Floats) -> NDArray[np.signedinteger]:
        """The nearest integers, halves to even, clipped to the type; divided in float32."""
        steps = np.rint(np.asarray(values, np.float32) / self.scale) + self.zero_point
        return np.clip(steps, *DTYPE_RANGES[self.dtype]).astype(self.dtype)

    def real(self, integers: NDArray[np.integer]) -> NDArray[np.float32]:
        """What integers stand for."""
        return ((integers.astype(np.int32) - self.zero_point) * self.scale).astype(np.float32)


TANH = Grid(np.float32(1 / 128))
"""The one grid that TFLM's int8 TANH gives."""
UNIT = Grid(np.float32(2.0**-15), 0, "int16")
"""The one grid that its int16 TANH and LOGISTIC give."""


def grid_of(least: float, most: float) -> Grid:
    """The grid of an activation that was seen between `least` and `most`.

    The range is widened to hold 0.0, which lies on the grid. What was always 0, or has no
    full precision in float32, has a step of 1.

    Raises ModelError for what is no range of finite numbers.
    """
    if not (np.isfinite(least) and np.isfinite(most) and least <= most):
        raise ModelError(
            f"a range must be finite, its least value first, not {least} to {most}; clip the value "
            "in the model"
        )
    lo, hi = min(np.float32(least), np.float32(0)), max(np.float32(most), np.float32(0))
    if float(hi) - float(lo) > float(np.finfo(np.float32).max):
        raise ModelError(
            f"a value from {least:g} to {most:g} has no grid of int8 in float32; clip it to what "
            "the next operators need, or give the model's outputs before it"
        )
    scale = (hi - lo) / np.float32(HIGHEST - LOWEST)
    if scale < np.finfo(np.float32).tiny:
        return Grid(np.float32(1), 0)
    zero = np.float32(LOWEST) - lo / scale
    # Halves away from zero, as std::round has them.
    rounded = np.copysign(np.floor(np.abs(zero) + np.float32(0.5)), zero)
    return Grid(scale, int(np.clip(rounded, LOWEST, HIGHEST)))


def wide_grid(most: float) -> Grid:
    """The grid of int16 whose step is the least power of two that holds values up to `most`."""
    exponent = math.ceil(math.log2(most / DTYPE_RANGES["int16"][1]))
    return Grid(np.float32(2.0**exponent), 0, "int16")


def cell_exponent(most: float) -> int:
    """The e of a cell state whose |values| are at most `most` and whose step is 2**e.

    Raises ModelError where no int16 that TFLite takes holds them.
    """
    for exponent in CELL_EXPONENTS:
        if 2.0 ** (exponent + _CELL_BITS) >= most:
            return exponent
    limit = 1 << (CELL_EXPONENTS[-1] + _CELL_BITS)
    raise ModelError(
        f"a cell state of {most:g} is beyond {limit}; clip the cell in training, or here with "
        "--clip-cells, and listen to what it costs"
    )


def step_of(weights: Floats) -> np.float32:
    """The step of a tensor's weights, max |w| / 127; of nothing but zeros 1/127."""
    most = np.float32(np.max(np.abs(weights), initial=0.0))
    return (most if most > 0 else np.float32(1)) / np.float32(MOST)


def steps_of_rows(weights: Floats) -> NDArray[np.float32]:
    """A step for each row of (rows, columns); a row of zeros takes the largest of the others.

    A bias lies on a grid of the row's step, which must not be coarse for want of weights.
    """
    steps = np.max(np.abs(weights), axis=1).astype(np.float32) / np.float32(MOST)
    return np.where(steps > 0, steps, step_of(weights)).astype(np.float32)


def kept_steps(weights: Floats, steps: Floats) -> NDArray[np.float32]:
    """Steps (rows,) at which rows that are multiples of a step already stay exactly what they are.

    So int8 weights of a model that computes in floats are kept. A row that lies on no grid of at
    most 127 steps to a side has that of `steps`; none is more than twice as large.
    """
    found = np.broadcast_to(np.asarray(steps, np.float32), (len(weights),)).copy()
    for number, row in enumerate(np.asarray(weights, np.float64)):
        held = np.unique(np.abs(row))
        held = held[held > 0]
        if 1 < len(held) <= MOST and (step := _common_step(held)) is not None:
            times = MOST // int(np.rint(held[-1] / step))
            found[number] = step / times
    return found


_PARTS = 8
_NEARLY = 1e-3


def _common_step(held: NDArray[np.float64]) -> float | None:
    """The largest step that all are multiples of, in rising order and none beyond `MOST` of it."""
    gap = float(np.min(np.diff(held, prepend=0.0)))
    for parts in range(1, _PARTS + 1):
        times = np.rint(held * parts / gap)
        if times[-1] > MOST:
            return None
        step = float(np.sum(held) / np.sum(times))
        if np.max(np.abs(held / step - times)) < _NEARLY:
            return step
    return None


def integers_of(weights: Floats, steps: Floats) -> NDArray[np.int8]:
    """Weights as clip(round-half-even(w / step), -127, 127), divided in float32 as in training.

    `steps` is (1,), or (rows,) for the rows of `weights`.
    """
    divisors = np.asarray(steps, np.float32).reshape(-1, 1)
    quotients = np.rint(np.asarray(weights, np.float32) / divisors)
    return np.clip(quotients, -MOST, MOST).astype(np.int8)


def bias_steps(source: np.float32, steps: Floats) -> NDArray[np.float32]:
    """The steps of a bias: of the input times those of the weights."""
    return (np.float32(source) * np.asarray(steps, np.float32)).astype(np.float32)


def bias_integers(bias: Floats, steps: Floats, where: str) -> NDArray[np.int32]:
    """A bias (rows,) as int32 at steps (1,) or (rows,).

    Raises ModelError for a value that int32 does not hold, as beside weights that are tiny.
    """
    quotients = np.rint(np.asarray(bias, np.float64) / np.asarray(steps, np.float64))
    for row in np.flatnonzero((quotients < _BIAS[0]) | (quotients > _BIAS[1])):
        step = np.broadcast_to(steps, quotients.shape)[row]
        raise ModelError(
            f"{where}: the bias of row {row}, {bias[row]:g}, has {abs(quotients[row]):.4g} steps "
            f"of {step:.4g}, more than int32 holds; give the row's weights a larger step"
        )
    return quotients.astype(np.int32)
