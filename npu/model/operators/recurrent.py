"""Layers whose output depends on the calls before, through states of their own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from npu.errors import ModelError
from npu.model import numerics, quantisation
from npu.model.graph import DTYPE_RANGES, Graph, Quantization, quantization
from npu.model.operators.binary import MulParams
from npu.model.operators.product import MatVecParams, matvec_params
from npu.model.quantisation import place, scale
from npu.model.references import Constant, Operand, Operator, Result, State
from npu.model.rules import activation, bias, require, weights

GATE_LOG2_SCALE = -12
"""Gate pre-activations are Q3.12."""

_GATES = Quantization(np.array([2.0**GATE_LOG2_SCALE], np.float32), 0)
_NONLINEAR_SCALE = np.float32(2.0**-15)


@dataclass(frozen=True)
class Lstm(Operator):
    """A layer of LSTM cells over (batch, time, features) sequences; gates in the order i, f, g, o.

    With `time_major` input and output are (time, batch, ...). Each sequence has its own states, a
    row of (batch, units). The output takes the integers of the hidden state as they are, whatever
    its own scale says. `cell_clip` limits the real value of the cell state; 0 means no limit.
    """

    input: Operand
    input_weights: tuple[Constant, Constant, Constant, Constant]
    recurrent_weights: tuple[Constant, Constant, Constant, Constant]
    biases: tuple[Constant | None, Constant | None, Constant | None, Constant | None]
    hidden_state: State
    cell_state: State
    output: Result
    cell_clip: float = 0.0
    time_major: bool = False


@dataclass(frozen=True, eq=False)
class LstmParams:
    """Everything that an LSTM step needs besides weights and biases; gates in the order i, f, g, o.

    Attributes
    ----------
    input, recurrent : per gate, products to int16 Q3.12
    forget_mul : forget gate times cell state, to cell state
    input_mul : input gate times cell gate, to cell state
    output_mul : tanh of the cell state times output gate, to int8 hidden state
    sigmoid, gate_tanh, cell_tanh : (multiplier, shift) of the table functions
    cell_clip : limit of |cell state| as an int16, 0 for none
    """

    input: tuple[MatVecParams, MatVecParams, MatVecParams, MatVecParams]
    recurrent: tuple[MatVecParams, MatVecParams, MatVecParams, MatVecParams]
    forget_mul: MulParams
    input_mul: MulParams
    output_mul: MulParams
    sigmoid: tuple[int, int]
    gate_tanh: tuple[int, int]
    cell_tanh: tuple[int, int]
    cell_clip: int


def verify(graph: Graph, op: Lstm) -> None:
    """One sequence of a fixed number of features; states and matrices of as many units."""
    source = activation(graph, op.input, "input")
    output = activation(graph, op.output, "output")
    hidden = activation(graph, op.hidden_state, "hidden state")
    cell = activation(graph, op.cell_state, "cell state", "int16")
    require(
        len(source.shape) == 3 and source.size > 0,
        f"its input must be sequences of features, not {list(source.shape)}",
    )
    features = source.shape[2]
    batch = source.shape[1 if op.time_major else 0]
    units = output.shape[-1] if output.shape else 0
    wanted = (*source.shape[:2], units)
    require(
        output.shape == wanted,
        f"its output must be [{wanted[0]}, {wanted[1]}, units], not {list(output.shape)}",
    )
    for what, state in (("hidden", hidden), ("cell", cell)):
        require(
            state.shape == (batch, units),
            f"its {what} state must be [{batch}, {units}], not {list(state.shape)}",
        )
    require(
        quantization(cell).zero_point == 0,
        f"the zero point of its cell state must be 0, not {quantization(cell).zero_point}",
    )
    for gate, w, r, b in zip(
        "ifgo", op.input_weights, op.recurrent_weights, op.biases, strict=True
    ):
        _verify_matrix(graph, w, f"input weights of gate {gate}", (units, features))
        _verify_matrix(graph, r, f"recurrent weights of gate {gate}", (units, units))
        bias(graph, b, units)
    require(
        math.isfinite(op.cell_clip) and op.cell_clip >= 0,
        f"its cell clip must be finite and not negative, not {op.cell_clip}",
    )


def _verify_matrix(graph: Graph, index: int, what: str, shape: tuple[int, int]) -> None:
    found = weights(graph, index, what)
    require(
        found.shape == shape,
        f"its {what} must be {list(shape)}, not {list(found.shape)}",
    )
    require(quantization(found).per_tensor, f"its {what} must have one scale in all")


def lstm_params(graph: Graph, op: Lstm) -> LstmParams:
    """Parameters of a UNIDIRECTIONAL_SEQUENCE_LSTM, 8x8->16.

    Raises
    ------
    ModelError
        If the cell state's scale is not a power of two in 2^-27..2^2, a cell clip is below one
        step of it, or the scales cannot be expressed.
    """
    where = place(graph, op)
    hidden = quantization(graph.tensors[op.hidden_state])
    cell_scale = scale(graph.tensors[op.cell_state])
    cell_tanh = _table_input(cell_scale, where)

    def products(source: Quantization, matrices: Sequence[int]) -> Any:
        return tuple(
            replace(
                matvec_params(source, graph.tensors[i], _GATES, DTYPE_RANGES["int16"], where),
                weights_zero_point=quantization(graph.tensors[i]).zero_point,
            )
            for i in matrices
        )

    one = _NONLINEAR_SCALE
    gate_input = numerics.table_input_scaling(GATE_LOG2_SCALE)
    cell = Quantization(np.array([cell_scale]), 0)
    return LstmParams(
        input=products(quantization(graph.tensors[op.input]), op.input_weights),
        recurrent=products(hidden, op.recurrent_weights),
        forget_mul=_gate_mul(one, cell_scale, cell, "int16", where),
        input_mul=_gate_mul(one, one, cell, "int16", where),
        output_mul=_gate_mul(one, one, hidden, "int8", where),
        sigmoid=gate_input,
        gate_tanh=gate_input,
        cell_tanh=cell_tanh,
        cell_clip=_cell_clip(op, cell_scale, where),
    )


def _table_input(cell_scale: np.float32, where: str) -> tuple[int, int]:
    log2_scale, exact = numerics.checked_log2(float(cell_scale))
    if not exact:
        raise ModelError(
            f"{where}: the scale of its cell state must be a power of two, not {cell_scale}"
        )
    try:
        return numerics.table_input_scaling(log2_scale)
    except ValueError as error:
        raise ModelError(f"{where}: its cell state: {error}") from None


def _gate_mul(
    a: np.float32, b: np.float32, output: Quantization, dtype: str, where: str
) -> MulParams:
    real = float(a) * float(b) / float(output.scale[0])
    multiplier, shift = quantisation.multiplier(real, where)
    lo, hi = DTYPE_RANGES[dtype]
    return MulParams(0, 0, multiplier, shift, output.zero_point, lo, hi)


def _cell_clip(op: Lstm, cell_scale: np.float32, where: str) -> int:
    if op.cell_clip == 0:
        return 0
    steps = int(min(float(np.float32(op.cell_clip)) / float(cell_scale), numerics.INT16_MAX))
    if steps < 1:
        raise ModelError(
            f"{where}: its cell clip must be 0 (none) or at least its cell state's "
            f"scale {cell_scale}, not {op.cell_clip}"
        )
    return steps


RULES = {Lstm: verify}
PARAMETERS = {Lstm: lstm_params}
