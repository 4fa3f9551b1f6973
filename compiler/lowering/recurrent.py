"""An LSTM: two products per step, then its gates and states element by element.

The gates lie side by side in the order i, f, o, g: the three with a sigmoid together, so that one
command does them. The last output row is the hidden state; it stays until the next call reads it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from compiler.lowering.binary import mul_fields
from compiler.lowering.ir import Buffer, Repeat, Step, Vector, View
from compiler.lowering.product import Gate, matvec, stacked
from compiler.lowering.rescale import clip_fields
from compiler.lowering.site import GraphLowering
from npu.chip.isa import ElementType
from npu.model.graph import quantization
from npu.model.operators.binary import MulParams
from npu.model.operators.product import MatVecParams
from npu.model.operators.recurrent import Lstm, LstmParams

GATE_ORDER = (0, 1, 3, 2)
"""Of the operator's gates i, f, g, o, as they lie in SRAM."""
GATES = len(GATE_ORDER)
MOST_UNROLLED = 8
"""Steps that are written out; a loop is shorter, and takes a few cycles a step more."""


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


def lower(site: GraphLowering, op: Lstm, params: LstmParams) -> None:
    """All steps of a call, one after the other, sequence by sequence."""
    source = site.buffer(op.input)
    features = site.graph.tensors[op.input_weights[0]].shape[1]
    batch = site.graph.tensors[op.hidden_state].shape[0]
    buffers = _buffers(site, op, batch)
    gates = _gates(site, op.input_weights, op.biases, params.input)
    vectors = source.n // features
    layer = site.layer("input", rows=(buffers.units,) * GATES)
    from_input = stacked(layer, gates, buffers.destination, _columns(site, features, vectors))
    gates = _gates(site, op.recurrent_weights, (None,) * GATES, params.recurrent)
    layer = site.layer("recurrent", rows=(buffers.units,) * GATES)
    columns = _columns(site, buffers.units, vectors)
    from_hidden = stacked(layer, gates, buffers.destination, columns)
    steps = vectors // batch
    apart = batch if op.time_major else 1
    for b in range(batch):
        first = b if op.time_major else b * steps

        def step(place: int, previous: int, sequence: int = b, moves: int = 0) -> Iterator[Step]:
            frame, a = source.part(place * features, features), moves * features
            own = matvec(site, from_input, frame, buffers.gates.whole(), params.input[0], a)
            yield Step(own, a)
            hidden, a = buffers.step(previous), moves * buffers.units
            into = buffers.recurrent.whole()
            yield Step(matvec(site, from_hidden, hidden, into, params.recurrent[0], a), a)
            yield from _cell(params, buffers, buffers.state(sequence), buffers.step(place), a)

        places = range(first, first + steps * apart, apart)
        unrolled = places if steps <= MOST_UNROLLED else places[:1]
        # The last output of a sequence is its hidden state; it stays until the next call reads it.
        for place, previous in zip(unrolled, [places[-1], *places], strict=False):
            for each in step(place, previous):
                site.add(each.operator)
        if len(unrolled) < steps:
            turn = step(places[1], places[0], moves=apart)
            site.add(Repeat(steps - 1, tuple(turn)))


def _columns(site: GraphLowering, n: int, steps: int) -> int:
    """Columns of a matrix for `steps` vectors of n elements, one behind the other."""
    return n if steps == 1 else site.params.align(n)


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


def _cell(params: LstmParams, buffers: _Buffers, c: View, out: View, moves: int) -> Iterator[Step]:
    """One step after its products, element by element; its output is `moves` from the next one."""
    units = buffers.units
    i, f, o, g = (buffers.gate(k) for k in range(GATES))
    whole, recurrent = buffers.gates.whole(), buffers.recurrent.whole()
    # Once summed, the recurrent products are used up: their first row becomes scratch space.
    s = buffers.recurrent.part(0, units)
    yield Step(Vector("VADDS", whole.n, whole, whole, recurrent))
    three = whole.part(0, 2 * buffers.gate_step + units)
    yield Step(Vector("VSIGMOID", three.n, three, three, fields=_table_fields(params.sigmoid)))
    yield Step(Vector("VTANH", units, g, g, fields=_table_fields(params.gate_tanh)))
    yield Step(_gate_mul(units, c, f, c, params.forget_mul))
    yield Step(_gate_mul(units, s, i, g, params.input_mul))
    yield Step(Vector("VADDS", units, c, c, s))
    if params.cell_clip:
        yield Step(Vector("VRESCALE", units, c, c, fields=clip_fields(params.cell_clip)))
    yield Step(Vector("VTANH", units, s, c, fields=_table_fields(params.cell_tanh)))
    yield Step(_gate_mul(units, out, s, o, params.output_mul), dst=moves)


def _table_fields(scaling: tuple[int, int]) -> dict[str, int]:
    multiplier, shift = scaling
    return {"multiplier": multiplier, "shift": shift}


def _gate_mul(n: int, dst: View, a: View, b: View, params: MulParams) -> Vector:
    """The product of two int16 vectors."""
    types = {"a_type": 1, "b_type": 1, "dst_type": int(dst.element)}
    return Vector("VMUL", n, dst, a, b, mul_fields(params) | types)


LOWER = {Lstm: lower}
