"""The LSTM layer, 8x8->16: int8 activations and weights, int16 gates and cell state."""

from collections.abc import Sequence

import numpy as np

from kernels.engines.cell import lstm_cell
from kernels.engines.dense import check_array
from kernels.engines.program import LSTM, Program, Word, product_row
from kernels.engines.slots import SlotMatrix
from kernels.engines.sparse import prepare_matrix
from kernels.engines.vector import WINDOW
from kernels.values import Step, Values
from npu.model.operators.binary import MulParams
from npu.model.operators.product import MatVecParams, in_int8_parts
from npu.model.operators.recurrent import Lstm, LstmParams
from npu.model.window import point


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
        self.parts = len(parts[0])
        matrix = np.concatenate([np.concatenate(gate, axis=1) for gate in parts])
        self.matrix = prepare_matrix(matrix, biases, _stacked(params))

    def multiply(self, inputs: np.ndarray, outputs: np.ndarray) -> None:
        """(vectors, columns) int8 to (vectors, rows of all gates) int16."""
        self.matrix.multiply(np.tile(inputs, (1, self.parts)), outputs)


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
        self._room = np.empty((2, 4 * self.units), np.int32)

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
            sums = from_input[t], self._from_hidden[0]
            lstm_cell(*sums, *self._constants, cell[0], hidden[0], self._room)
            outputs[t] = hidden[0]

    def rows(
        self, inputs: np.ndarray, hidden: np.ndarray, cell: np.ndarray, outputs: np.ndarray
    ) -> list[list[Word]]:
        """Two of a program for each of (batch, time, features): products, then the steps.

        Empty where this processor, or these matrices, need loops of their own.
        """
        first, second = self._input.matrix, self._recurrent.matrix
        parts = self._input.parts + self._recurrent.parts
        if not isinstance(first, SlotMatrix) or not isinstance(second, SlotMatrix) or parts > 2:
            return []
        time = inputs.shape[1]
        from_inputs = np.zeros((1, 1, time, 4 * self.units), np.int16)
        vector = np.zeros(self.units + WINDOW, np.uint8)
        flat = [each for group in self._constants[:-1] for each in group]
        constants = np.array([*flat, self._constants[-1]], np.int64)
        found: list[list[Word]] = []
        for b in range(len(inputs)):
            sequence = inputs[b].reshape(1, 1, time, -1)
            states: list[Word] = [hidden[b], cell[b], outputs[b], vector, constants, self._room]
            found += [
                product_row(first, (sequence, 0), point(), from_inputs),
                [LSTM, time, self.units, from_inputs, self._from_hidden, second, *states],
            ]
        return found


def prepare(values: Values, op: Lstm, params: LstmParams) -> Step:
    """A call's sequences through the layer, one by one; their states live on in `values`."""
    layer = LstmLayer(values, op, params)
    inputs, outputs = values[op.input], values[op.output]
    if op.time_major:
        inputs, outputs = inputs.swapaxes(0, 1), outputs.swapaxes(0, 1)
    hidden, cell = values[op.hidden_state], values[op.cell_state]
    contiguous = inputs.flags.c_contiguous and outputs.flags.c_contiguous
    if contiguous and (rows := layer.rows(inputs, hidden, cell, outputs)):
        return Program(rows)

    def step() -> None:
        for b in range(len(hidden)):
            sequence = np.ascontiguousarray(inputs[b])
            layer.run(sequence, hidden[b : b + 1], cell[b : b + 1], outputs[b])

    return step


PREPARE = {Lstm: prepare}
