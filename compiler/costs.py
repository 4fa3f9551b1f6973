"""What a weight matrix costs on a chip, bits and cycles, with no model, image or run around it.

For searches and training, which ask for thousands: `matrix_cost` packs the matrix as the compiler
does and asks the chip's cost model (`npu.chip.cost`). That takes about as long as compiling it, and
the choice of codes is most of that: 40 ms for 256 by 256 weights, 0.2 s for 1024 by 1024, a tenth
of them nonzero, on a core.
"""

from typing import NamedTuple

import numpy as np

from compiler.codec.turns import turns_of
from compiler.lowering.ir import Matrix
from compiler.passes.tiles import PackedMatrix, pack_matrix
from npu.chip import cost
from npu.chip.isa import command
from npu.chip.params import ChipParams
from npu.model.layer import Layer

_LAYER = Layer("", "matrix")
# Any scale: the chip's time and the codes do not depend on it.
_MULTIPLIER, _SHIFT = 1 << 30, -8


class MatrixCost(NamedTuple):
    """Of a matrix that has the chip's banks for itself; streamed, it may be split into more tiles.

    Attributes
    ----------
    bits : what the weights take in external memory: tiles and codes, without scales.
    cycles : of one product, from the start of its first command to the end of its last; transfers
        and what the sequencer does between commands are not in it.
    """

    bits: int
    cycles: int


def matrix_cost(matrix: np.ndarray, chip: ChipParams, row_scales: bool = True) -> MatrixCost:
    """What a product with a matrix costs.

    matrix : (rows, columns) int8, of one or more each. row_scales : whether every row has a scale
        of its own, as TensorFlow Lite quantises by channel, or all share one.

    Raises ValueError for any other matrix, CapacityError for one that the chip does not hold.
    """
    packed = _packed(matrix, chip, row_scales)
    sets = packed.tiles[0].packed.sets
    entries = [(len(run.entries), len(value.entries)) for run, value in sets]
    cmd = command("MATVEC", columns=matrix.shape[1])
    cycles, first = 0, 0
    for tile in packed.tiles:
        rows = sum(map(len, tile.packed.slot_rows))
        turns = turns_of(tile.packed, matrix[first : first + rows])
        streams = cost.Streams(entries, len(packed.scales.shared), turns)
        cycles += cost.product(cmd, cost.Held(), chip, streams).cycles
        first += rows
    return MatrixCost(packed.compressed_bits, cycles)


def bits(matrix: np.ndarray, chip: ChipParams) -> int:
    """How many bits a matrix takes, see `matrix_cost`."""
    return _packed(matrix, chip, row_scales=False).compressed_bits


def cycles(matrix: np.ndarray, chip: ChipParams, row_scales: bool = True) -> int:
    """How many cycles one product takes, see `matrix_cost`."""
    return matrix_cost(matrix, chip, row_scales).cycles


def _packed(matrix: np.ndarray, chip: ChipParams, row_scales: bool) -> PackedMatrix:
    if not isinstance(matrix, np.ndarray) or matrix.dtype != np.int8 or matrix.ndim != 2:
        raise ValueError("a matrix must be an int8 array (rows, columns)")
    if not matrix.size:
        raise ValueError(f"a matrix of {matrix.shape} weights costs nothing")
    rows, columns = matrix.shape
    whole = Matrix(
        layer=_LAYER,
        weights=matrix,
        bias=np.zeros(rows, np.int64),
        destination=np.arange(rows),
        multipliers=_MULTIPLIER + np.arange(rows) * row_scales,
        shifts=np.full(rows, _SHIFT),
        columns_used=columns,
    )
    return pack_matrix(whole, chip, chip.bank_bus_words, chip.param_bytes)
