"""The LSTM layer, 8x8->16: int8 activations and weights, int16 gates and cell state."""

from collections.abc import Sequence

import numpy as np

from kernels.engines.dense import check_array
from kernels.engines.sparse import prepare_matrix
from kernels.values import Step, Values
from npu.jit import kernel
from npu.model.numerics import (
    mul_affine,
    saturate,
    saturating_add_int16,
    sigmoid_int16,
    tanh_int16,
)
from npu.model.operators.binary import MulParams
from npu.model.operators.product import MatVecParams, in_int8_parts
from npu.model.operators.recurrent import Lstm, LstmParams


@kernel
def lstm_cell(
    from_input,
    from_hidden,
    gate_scaling,
    cell_scaling,
    forget_mul,
    input_mul,
    output_mul,
    cell_clip,
    cell,
    hidden,
):
    """One step of a layer after its products, in place on `cell` and `hidden`.

    `from_input` and `from_hidden` are (4 * units,) int16 in Q3.12, gates i, f, g, o one after the
    other; `cell` is (units,) int16, `hidden` (units,) int8. The `*_mul` are (multiplier, shift,
    zero point).
    """
    units = cell.shape[0]
    for u in range(units):
        i = saturating_add_int16(np.int64(from_input[u]), np.int64(from_hidden[u]))
        f = saturating_add_int16(np.int64(from_input[units + u]), np.int64(from_hidden[units + u]))
        g = saturating_add_int16(
            np.int64(from_input[2 * units + u]), np.int64(from_hidden[2 * units + u])
        )
        o = saturating_add_int16(
            np.int64(from_input[3 * units + u]), np.int64(from_hidden[3 * units + u])
        )
        i = sigmoid_int16(i, gate_scaling[0], gate_scaling[1])
        f = sigmoid_int16(f, gate_scaling[0], gate_scaling[1])
        g = tanh_int16(g, gate_scaling[0], gate_scaling[1])
        o = sigmoid_int16(o, gate_scaling[0], gate_scaling[1])
        kept = mul_affine(
            f, np.int64(cell[u]), 0, 0, forget_mul[0], forget_mul[1], 0, -0x8000, 0x7FFF
        )
        added = mul_affine(i, g, 0, 0, input_mul[0], input_mul[1], 0, -0x8000, 0x7FFF)
        state = saturating_add_int16(kept, added)
        if cell_clip > 0:
            state = saturate(state, -cell_clip, cell_clip)
        cell[u] = state
        squashed = tanh_int16(state, cell_scaling[0], cell_scaling[1])
        hidden[u] = mul_affine(
            squashed, o, 0, 0, output_mul[0], output_mul[1], output_mul[2], -0x80, 0x7F
        )


def _stacked(params: tuple[MatVecParams, ...]) -> MatVecParams:
    """The four gates' products as those of one matrix of four times the rows."""
    first = params[0]
    return MatVecParams(
        np.concatenate([p.multipliers for p in params]),
        np.concatenate([p.shifts for p in params]),
        first.input_zero_point,
        first.output_zero_point,
        first.lo,
        first.hi,
    )


def _mul(params: MulParams) -> tuple[int, int, int]:
    return params.multiplier, params.shift, params.output_zero_point


class _Product:
    """The products of all gates with a vector; weights less their zero points are some int8."""

    def __init__(
        self,
        values: Values,
        weights: Sequence[int],
        biases: np.ndarray | None,
        params: tuple[MatVecParams, ...],
    ) -> None:
        zeros = [p.weights_zero_point for p in params]
        parts = in_int8_parts([values[w] for w in weights], zeros)
        self._parts = len(parts[0])
        matrix = np.concatenate([np.concatenate(gate, axis=1) for gate in parts])
        self._matrix = prepare_matrix(matrix, biases, _stacked(params))

    def multiply(self, inputs: np.ndarray, outputs: np.ndarray) -> None:
        """(vectors, columns) int8 to (vectors, rows of all gates) int16."""
        self._matrix.multiply(np.tile(inputs, (1, self._parts)), outputs)


class LstmLayer:
    """One LSTM with its weights prepared. States are the caller's.

    Parameters
    ----------
    values : of the graph, for the layer's constants
    op, params : the layer, and its integer parameters
    """

    def __init__(self, values: Values, op: Lstm, params: LstmParams) -> None:
        self.units = values[op.output].shape[-1]
        biases = np.concatenate(
            [np.zeros(self.units, np.int32) if b is None else values[b] for b in op.biases]
        )
        self._input = _Product(values, op.input_weights, biases, params.input)
        self._recurrent = _Product(values, op.recurrent_weights, None, params.recurrent)
        self._constants = (
            params.sigmoid,
            params.cell_tanh,
            _mul(params.forget_mul),
            _mul(params.input_mul),
            _mul(params.output_mul),
            params.cell_clip,
        )
        assert params.gate_tanh == params.sigmoid, "both read Q3.12"
        self._from_hidden = np.empty((1, 4 * self.units), np.int16)

    def run(
        self, inputs: np.ndarray, hidden: np.ndarray, cell: np.ndarray, outputs: np.ndarray
    ) -> None:
        """Take `inputs` (time, features) int8 one by one, filling `outputs` (time, units) int8.

        `hidden` (1, units) int8 and `cell` (1, units) int16 are read and updated. Raises
        ValueError for other shapes and types.
        """
        check_array("hidden", hidden, (1, self.units), np.int8)
        check_array("cell", cell, (1, self.units), np.int16)
        check_array("outputs", outputs, (len(inputs), self.units), np.int8)
        from_input = np.empty((len(inputs), 4 * self.units), np.int16)
        self._input.multiply(inputs, from_input)
        for t in range(len(inputs)):
            self._recurrent.multiply(hidden, self._from_hidden)
            lstm_cell(from_input[t], self._from_hidden[0], *self._constants, cell[0], hidden[0])
            outputs[t] = hidden[0]


def prepare(values: Values, op: Lstm, params: LstmParams) -> Step:
    """A call's sequences through the layer, one by one; their states live on in `values`."""
    layer = LstmLayer(values, op, params)
    inputs, outputs = values[op.input], values[op.output]
    if op.time_major:
        inputs, outputs = inputs.swapaxes(0, 1), outputs.swapaxes(0, 1)
    hidden, cell = values[op.hidden_state], values[op.cell_state]

    def step() -> None:
        for b in range(len(hidden)):
            sequence = np.ascontiguousarray(inputs[b])
            layer.run(sequence, hidden[b : b + 1], cell[b : b + 1], outputs[b])

    return step


PREPARE = {Lstm: prepare}
