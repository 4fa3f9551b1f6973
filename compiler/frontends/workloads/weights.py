"""Seeded random int8 weights of which a given share are zeros."""

import numpy as np

_SPREAD = 20.0
"""Of a Laplace distribution in steps of a weight: what a nonzero costs in bits is then near to what
it costs in models that were trained and pruned."""

_QUANTILES = 1 << 16


def _nonzeros() -> np.ndarray:
    """(_QUANTILES,) int8: the values at equally likely quantiles, with 1 or -1 in place of 0."""
    middle = (np.arange(_QUANTILES) + 0.5) / _QUANTILES - 0.5
    real = -_SPREAD * np.sign(middle) * np.log(1 - 2 * np.abs(middle))
    values = np.clip(np.rint(real), -127, 127).astype(np.int8)
    values[values == 0] = np.where(middle[values == 0] < 0, -1, 1)
    return values


_VALUES = _nonzeros()

DENSE_RMS = float(np.sqrt(np.mean(np.square(_VALUES, dtype=np.float64))))
"""Root of the mean square of the weights that are not zero, in steps."""


class RandomWeights:
    """Matrices one after the other; the same seed and sparsity give the same ones.

    Parameters
    ----------
    sparsity : share of zeros in every matrix, 0 to less than 1.
    seed : 0 or more.
    """

    def __init__(self, sparsity: float, seed: int) -> None:
        self.sparsity, self.seed = sparsity, seed
        self._rng = np.random.Generator(np.random.SFC64(seed))

    def matrix(self, shape: tuple[int, ...]) -> np.ndarray:
        """int8, read-only; round(sparsity * size) places drawn without replacement are zeros."""
        size = int(np.prod(shape))
        drawn, found = self._drawn(size)
        zeros = round(self.sparsity * size)
        if zeros:
            # The places of the smallest numbers, whose upper half the values do not know; a tie at
            # the border, once in about 2**32 / size matrices, leaves a zero more.
            # Multiplied, which takes a tenth of the time of zeros written here and there.
            found *= drawn > np.partition(drawn, zeros - 1)[zeros - 1]
        found = found.reshape(shape)
        found.flags.writeable = False
        return found

    def dense(self, shape: tuple[int, ...]) -> np.ndarray:
        """int8 without zeros: the biases and factors of channels, which nobody prunes."""
        _, found = self._drawn(int(np.prod(shape)))
        return found.reshape(shape)

    def _drawn(self, size: int) -> tuple[np.ndarray, np.ndarray]:
        """Random uint32, and the values that their lower halves pick."""
        drawn = self._rng.integers(0, 1 << 32, size, np.uint32)
        return drawn, _VALUES[drawn.astype(np.uint16)]
