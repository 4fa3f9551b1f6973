"""An LSTM: two products per step, then its gates and states element by element.

A few steps stand one behind the other; of more, the first stands alone and the others are a loop.

The gates lie side by side in the order i, f, o, g: the three with a sigmoid together, so that one
command does them. The last output row is the hidden state; it stays until the next call reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from compiler.lowering.binary import mul_fields
from compiler.lowering.ir import (
    Buffer,
    Line,
    LoopEnd,
    LoopStart,
    Matrix,
    Routine,
    Travel,
    Vector,
    View,
)
from compiler.lowering.product import Gate, in_parts, matvec, stacked
from compiler.lowering.rescale import clip_fields
from compiler.lowering.site import GraphLowering
from npu.chip.isa import BASES, ElementType
from npu.model.graph import quantization
from npu.model.operators.binary import MulParams
from npu.model.operators.product import MatVecParams
from npu.model.operators.recurrent import Lstm, LstmParams

GATE_ORDER = (0, 1, 3, 2)
"""Of the operator's gates i, f, g, o, as they lie in SRAM."""
GATES = len(GATE_ORDER)

UNROLLED_STEPS = 8
"""Up to so many steps of a sequence no loop is worth its commands."""

COUNT, FRAMES = 10, 9
"""Registers of the loop over steps: the turns that are left, and how far the frame has moved."""


@dataclass(frozen=True, eq=False)
class _Buffers:
    """Where a layer keeps its values.

    Attributes
    ----------
    out : `units` elements per step.
    cell : `units` elements a sequence, `gate_step` apart.
    gates, recurrent : four vectors of `units`, `gate_step` elements apart.
    """

    out: Buffer
    cell: Buffer
    gates: Buffer
    recurrent: Buffer
    units: int
    gate_step: int

    @property
    def destination(self) -> np.ndarray:
        """Where the rows of all four gates go."""
        return np.concatenate([np.arange(self.units) + g * self.gate_step for g in range(GATES)])

    def gate(self, k: int) -> View:
        """One gate."""
        return self.gates.part(k * self.gate_step, self.units)

    def step(self, place: int) -> View:
        """The output of a step, by its place in the tensor."""
        return self.out.part(place * self.units, self.units)

    def state(self, b: int) -> View:
        """The cell state of a sequence."""
        return self.cell.part(b * self.gate_step, self.units)


@dataclass(frozen=True, eq=False)
class _Product:
    """The matrices of a side; `parts` of weights that have a zero point."""

    matrix: Matrix
    params: MatVecParams
    parts: int


@dataclass(frozen=True, eq=False)
class _Layer:
    """What every step needs."""

    site: GraphLowering
    params: LstmParams
    buffers: _Buffers
    source: Buffer
    features: int
    from_input: _Product
    from_hidden: _Product


def lower(site: GraphLowering, op: Lstm, params: LstmParams) -> None:
    """All steps of a call, one after the other, sequence by sequence."""
    source = site.buffer(op.input)
    features = site.graph.tensors[op.input_weights[0]].shape[1]
    batch = site.graph.tensors[op.hidden_state].shape[0]
    buffers = _buffers(site, op, batch)
    gates = _gates(site, op.input_weights, op.biases, params.input)
    vectors = source.n // features
    from_input = _product(site, "input", gates, buffers, vectors)
    gates = _gates(site, op.recurrent_weights, (None,) * GATES, params.recurrent)
    from_hidden = _product(site, "recurrent", gates, buffers, vectors)
    lstm = _Layer(site, params, buffers, source, features, from_input, from_hidden)
    steps = vectors // batch
    apart = batch if op.time_major else 1
    for b in range(batch):
        first = b if op.time_major else b * steps
        last = first + (steps - 1) * apart
        # The last output of a sequence is its hidden state; it stays until the next call reads it.
        _step(lstm, b, first, last)
        if steps <= UNROLLED_STEPS:
            for place in range(first + apart, last + 1, apart):
                _step(lstm, b, place, place - apart)
        else:
            _other_steps(lstm, b, first + apart, apart, steps - 1)


def _other_steps(lstm: _Layer, b: int, place: int, apart: int, steps: int) -> None:
    """All steps of a sequence from a place on, in a loop."""
    site = lstm.site
    frames, outputs = apart * lstm.features, apart * lstm.buffers.units
    loop = LoopStart(steps, COUNT, {FRAMES: frames, BASES["dst"]: outputs})
    site.add(loop)
    _step(lstm, b, place, place - apart, (Travel(frames, steps), Travel(outputs, steps)))
    buffers = lstm.buffers
    touched = lstm.source, buffers.out, buffers.cell, buffers.gates, buffers.recurrent
    site.add(LoopEnd(loop, touched))


def _step(
    lstm: _Layer, b: int, place: int, previous: int, travel: tuple[Travel, Travel] | None = None
) -> None:
    """One step, or those of a loop in which frames and outputs travel."""
    site, buffers = lstm.site, lstm.buffers
    frame = lstm.source.part(place * lstm.features, lstm.features)
    hidden = buffers.step(previous)
    products = (
        (lstm.from_input, frame, buffers.gates, FRAMES),
        (lstm.from_hidden, hidden, buffers.recurrent, BASES["dst"]),
    )
    for k, (side, src, dst, base) in enumerate(products):
        step = travel[k].step if travel else 0
        product = matvec(site, side.matrix, src, dst.whole(), side.params, step, side.parts)
        if travel is not None:
            line = Line("ADD", {"rd": BASES["a"], "rs1": base})
            site.add(Routine((line,), (), ()))
            product = replace(product, travel={"a": travel[k]})
        site.add(product)
    moving = {} if travel is None else {"dst": travel[1]}
    _cell(site, lstm.params, buffers, b, buffers.step(place), moving)


def _product(
    site: GraphLowering, side: str, gates: list[Gate], buffers: _Buffers, steps: int
) -> _Product:
    """The matrices of a side for `steps` vectors, one behind the other."""
    layer = site.layer(side, rows=(buffers.units,) * GATES)
    params, n = gates[0].params, gates[0].weights.shape[1]
    if any(gate.params.weights_zero_point for gate in gates):
        gates, parts = in_parts(site, gates)
        return _Product(stacked(layer, gates, buffers.destination, used=n), params, parts)
    columns = n if steps == 1 else site.params.align(n)
    return _Product(stacked(layer, gates, buffers.destination, columns), params, 1)


def _buffers(site: GraphLowering, op: Lstm, batch: int) -> _Buffers:
    out = site.new(op.output)
    out.persistent = True
    site.resets.append((out, quantization(site.graph.tensors[op.hidden_state]).zero_point))
    units = site.graph.tensors[op.output].shape[-1]
    wide = ElementType.INT16
    # Every gate on a bus word, so that its commands take whole words.
    gate_step = site.params.align(units * wide.n_bytes) // wide.n_bytes
    cell = site.new_buffer("cell state", (batch - 1) * gate_step + units, wide)
    cell.persistent = True
    site.resets.append((cell, 0))
    gates = site.new_buffer("gates", GATES * gate_step, wide)
    recurrent = site.new_buffer("recurrent gates", GATES * gate_step, wide)
    return _Buffers(out, cell, gates, recurrent, units, gate_step)


def _gates(
    site: GraphLowering,
    weights: Sequence[int],
    biases: Sequence[int | None],
    params: Sequence[MatVecParams],
) -> list[Gate]:
    """The matrices of one side, in the order of the gates in SRAM."""
    return [
        Gate(
            site.constant(weights[g]),
            None if (bias := biases[g]) is None else site.constant(bias),
            params[g],
        )
        for g in GATE_ORDER
    ]


def _cell(
    site: GraphLowering,
    params: LstmParams,
    buffers: _Buffers,
    b: int,
    out: View,
    travel: Mapping[str, Travel],
) -> None:
    """One step of a sequence after its products, element by element; the output may travel."""
    units, c = buffers.units, buffers.state(b)
    i, f, o, g = (buffers.gate(k) for k in range(GATES))
    whole, recurrent = buffers.gates.whole(), buffers.recurrent.whole()
    # Once summed, the recurrent products are used up: their first row becomes scratch space.
    s = buffers.recurrent.part(0, units)
    site.add(Vector("VADDS", whole.n, whole, whole, recurrent))
    three = whole.part(0, 2 * buffers.gate_step + units)
    site.add(Vector("VSIGMOID", three.n, three, three, fields=_table_fields(params.sigmoid)))
    site.add(Vector("VTANH", units, g, g, fields=_table_fields(params.gate_tanh)))
    site.add(_gate_mul(units, c, f, c, params.forget_mul))
    site.add(_gate_mul(units, s, i, g, params.input_mul))
    site.add(Vector("VADDS", units, c, c, s))
    if params.cell_clip:
        site.add(Vector("VRESCALE", units, c, c, fields=clip_fields(params.cell_clip)))
    site.add(Vector("VTANH", units, s, c, fields=_table_fields(params.cell_tanh)))
    site.add(replace(_gate_mul(units, out, s, o, params.output_mul), travel=travel))


def _table_fields(scaling: tuple[int, int]) -> dict[str, int]:
    multiplier, shift = scaling
    return {"multiplier": multiplier, "shift": shift}


def _gate_mul(n: int, dst: View, a: View, b: View, params: MulParams) -> Vector:
    """The product of two int16 vectors."""
    types = {"a_type": 1, "b_type": 1, "dst_type": int(dst.element)}
    return Vector("VMUL", n, dst, a, b, mul_fields(params) | types)


LOWER = {Lstm: lower}
