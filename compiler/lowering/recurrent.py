"""An LSTM: products with its inputs and its states, then its gates element by element.

The product with the inputs knows no state: it is taken for a block of steps at once, so that its
weights are loaded and its codes read once for all of them; the products with the states are one a
step. A few steps stand one behind the other; of more, the first stands alone and the others are a
loop. Where SRAM is short, both products are taken step by step.

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
    Positions,
    Routine,
    Travel,
    Vector,
    View,
    Window,
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
"""Registers of the loop over steps: the turns that are left, and how far the frame has moved, or
the gates of a block."""


@dataclass(frozen=True, eq=False)
class _Buffers:
    """Where a layer keeps its values.

    Attributes
    ----------
    out : `units` elements per step.
    cell : `units` elements a sequence, `gate_step` apart.
    gates, recurrent : four vectors of `units`, `gate_step` elements apart.
    block : of several steps, what the inputs add to their gates; None where that is in `gates`.
    """

    out: Buffer
    cell: Buffer
    gates: Buffer
    recurrent: Buffer
    units: int
    gate_step: int
    block: Buffer | None

    @property
    def destination(self) -> np.ndarray:
        """Where the rows of all four gates go."""
        return np.concatenate([np.arange(self.units) + g * self.gate_step for g in range(GATES)])

    def gate(self, k: int) -> View:
        """One gate."""
        return self.gates.part(k * self.gate_step, self.units)

    def added(self, k: int) -> View:
        """What the input adds to the gates of a step of a block."""
        if self.block is None:
            return self.gates.whole()
        return self.block.part(k * self.gates.n, self.gates.n)

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
    vectors = source.n // features
    steps = vectors // batch
    at_once = _steps_at_once(site, steps)
    buffers = _buffers(site, op, batch, at_once)
    gates = _gates(site, op.input_weights, op.biases, params.input)
    from_input = _product(site, "input", gates, buffers, vectors)
    gates = _gates(site, op.recurrent_weights, (None,) * GATES, params.recurrent)
    from_hidden = _product(site, "recurrent", gates, buffers, vectors)
    lstm = _Layer(site, params, buffers, source, features, from_input, from_hidden)
    apart = batch if op.time_major else 1
    per_block = at_once if buffers.block else steps
    for b in range(batch):
        first = b if op.time_major else b * steps
        last = first + (steps - 1) * apart
        places = range(first, last + 1, apart)
        for begin in range(0, steps, per_block):
            block = places[begin : begin + per_block]
            if buffers.block:
                _inputs_of(lstm, block)
            if begin == 0:
                # The last output of a sequence is its hidden state; it stays until the next call
                # reads it.
                _step(lstm, b, first, last, 0)
            others = range(begin == 0, len(block))
            if steps <= UNROLLED_STEPS:
                for k in others:
                    _step(lstm, b, block[k], block[k] - apart, k)
            elif others:
                _other_steps(lstm, b, block[others[0]], apart, others)


def _steps_at_once(site: GraphLowering, steps: int) -> int:
    """Of how many steps the inputs are multiplied at once."""
    return 1 if site.step_blocks is None else -(-steps // site.step_blocks)


def _inputs_of(lstm: _Layer, places: range) -> None:
    """The product with the inputs of a block's steps."""
    site, side, buffers = lstm.site, lstm.from_input, lstm.buffers
    frame = lstm.source.part(places[0] * lstm.features, lstm.features)
    product = matvec(site, side.matrix, frame, buffers.added(0), side.params)
    apart = places.step * lstm.features
    row = (len(places) - 1) * apart + frame.n
    window = Window(length=frame.n, width=row, nx=side.parts)
    positions = Positions(count_x=len(places), a_x=apart, dst_x=buffers.gates.n_bytes)
    site.add(replace(product, window=window, positions=positions))


def _other_steps(lstm: _Layer, b: int, place: int, apart: int, steps: range) -> None:
    """Steps of a block, the first of them at a place, in a loop."""
    site, buffers, turns = lstm.site, lstm.buffers, len(steps)
    outputs = apart * buffers.units
    moves = apart * lstm.features if buffers.block is None else buffers.gates.n_bytes
    loop = LoopStart(turns, COUNT, {FRAMES: moves, BASES["dst"]: outputs})
    site.add(loop)
    travel = Travel(moves, turns), Travel(outputs, turns)
    _step(lstm, b, place, place - apart, steps[0], travel)
    read = lstm.source if buffers.block is None else buffers.block
    touched = read, buffers.out, buffers.cell, buffers.gates, buffers.recurrent
    site.add(LoopEnd(loop, touched))


def _step(
    lstm: _Layer,
    b: int,
    place: int,
    previous: int,
    k: int,
    travel: tuple[Travel, Travel] | None = None,
) -> None:
    """Step `k` of a block, or those of a loop in which frames (or gates) and outputs travel."""
    buffers = lstm.buffers
    moved, outputs = travel or (None, None)
    if buffers.block is None:
        frame = lstm.source.part(place * lstm.features, lstm.features)
        _product_of_step(lstm, lstm.from_input, frame, buffers.gates, FRAMES, moved)
    hidden = buffers.step(previous)
    base = BASES["dst"]
    _product_of_step(lstm, lstm.from_hidden, hidden, buffers.recurrent, base, outputs)
    gates = Vector("VADDS", buffers.gates.n, buffers.gates.whole(), buffers.added(k))
    gates = replace(gates, b=buffers.recurrent.whole())
    if buffers.block is not None and moved is not None:
        _move_source(lstm.site, FRAMES)
        gates = replace(gates, travel={"a": moved})
    lstm.site.add(gates)
    moving = {} if outputs is None else {"dst": outputs}
    _cell(lstm.site, lstm.params, buffers, b, buffers.step(place), moving)


def _product_of_step(
    lstm: _Layer, side: "_Product", src: View, dst: Buffer, base: int, travel: Travel | None
) -> None:
    """A side's product for a step; in a loop its source has moved as a register says."""
    step = travel.step if travel else 0
    product = matvec(lstm.site, side.matrix, src, dst.whole(), side.params, step, side.parts)
    if travel is not None:
        _move_source(lstm.site, base)
        product = replace(product, travel={"a": travel})
    lstm.site.add(product)


def _move_source(site: GraphLowering, register: int) -> None:
    """Have the next command read as far behind its place as a register says."""
    site.add(Routine((Line("ADD", {"rd": BASES["a"], "rs1": register}),), (), ()))


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


def _gate_step(site: GraphLowering, op: Lstm) -> int:
    """Elements from gate to gate: each begins on a bus word, so that commands take whole words."""
    units, n_bytes = site.graph.tensors[op.output].shape[-1], ElementType.INT16.n_bytes
    return site.params.align(units * n_bytes) // n_bytes


def _buffers(site: GraphLowering, op: Lstm, batch: int, at_once: int) -> _Buffers:
    out = site.new(op.output)
    out.persistent = True
    site.resets.append((out, quantization(site.graph.tensors[op.hidden_state]).zero_point))
    units = site.graph.tensors[op.output].shape[-1]
    wide = ElementType.INT16
    gate_step = _gate_step(site, op)
    cell = site.new_buffer("cell state", (batch - 1) * gate_step + units, wide)
    cell.persistent = True
    site.resets.append((cell, 0))
    gates = site.new_buffer("gates", GATES * gate_step, wide)
    recurrent = site.new_buffer("recurrent gates", GATES * gate_step, wide)
    block = None
    if at_once > 1:
        block = site.new_buffer("gates of all steps", at_once * gates.n, wide)
    return _Buffers(out, cell, gates, recurrent, units, gate_step, block)


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
    """One step of a sequence after its gates are summed; the output may travel."""
    units, c = buffers.units, buffers.state(b)
    i, f, o, g = (buffers.gate(k) for k in range(GATES))
    whole = buffers.gates.whole()
    # Once summed, the recurrent products are used up: their first row becomes scratch space.
    s = buffers.recurrent.part(0, units)
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
