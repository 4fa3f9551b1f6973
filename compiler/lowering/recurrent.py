"""An LSTM: two products per step, then its gates and states element by element.

The gates lie side by side in the order i, f, o, g: the three with a sigmoid together, so that one
command does them. The last output row is the hidden state; it stays until the next call reads it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.lowering.binary import mul_fields
from compiler.lowering.ir import Buffer, Matrix, Vector, View
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


@dataclass(frozen=True, eq=False)
class _Buffers:
    """Where a layer keeps its values: `out` a row per step, the gates a row each."""

    out: Buffer
    cell: Buffer
    gates: Buffer
    recurrent: Buffer

    @property
    def gate_step(self) -> int:
        """Elements from one gate to the next."""
        return self.gates.stride // ElementType.INT16.n_bytes

    @property
    def destination(self) -> np.ndarray:
        """Where the rows of all four gates go."""
        return np.concatenate([np.arange(self.out.width) + g * self.gate_step for g in range(4)])


def lower(site: GraphLowering, op: Lstm, params: LstmParams) -> None:
    """All steps of a call, one after the other; time-major or not, its steps are rows."""
    batch = site.graph.tensors[op.hidden_state].shape[0]
    if batch > 1:
        raise site.unsupported(f"a batch of {batch} sequences; the chip takes one")
    source = site.buffer(op.input)
    buffers = _buffers(site, op)
    n_input = site.graph.tensors[op.input_weights[0]].shape[1]
    width = buffers.out.width
    gates = _gates(site, op.input_weights, op.biases, params.input)
    from_input: dict[bytes, Matrix] = {}
    layouts = [site.row(source, n_input, t) for t in range(buffers.out.rows)]
    for view, places in layouts:
        key = places.tobytes()
        if key not in from_input:
            layer = site.layer("input", len(from_input), (width,) * len(gates))
            from_input[key] = stacked(layer, gates, buffers.destination, places, view.n)
    gates = _gates(site, op.recurrent_weights, (None,) * len(gates), params.recurrent)
    layer = site.layer("recurrent", rows=(width,) * len(gates))
    from_hidden = stacked(layer, gates, buffers.destination, np.arange(width), width)
    for t, (view, places) in enumerate(layouts):
        previous = buffers.out.row(t - 1 if t else buffers.out.rows - 1)
        both = buffers.gates.whole(), buffers.recurrent.whole()
        site.add(matvec(from_input[places.tobytes()], view, both[0], params.input[0]))
        site.add(matvec(from_hidden, previous, both[1], params.recurrent[0]))
        _cell(site, params, buffers, buffers.out.row(t))


def _buffers(site: GraphLowering, op: Lstm) -> _Buffers:
    out = site.new(op.output)
    out.persistent = True
    site.resets.append((out, quantization(site.graph.tensors[op.hidden_state]).zero_point))
    width = out.width
    cell = site.new_buffer("cell state", 1, width, ElementType.INT16)
    cell.persistent = True
    site.resets.append((cell, 0))
    gates = site.new_buffer("gates", 4, width, ElementType.INT16)
    recurrent = site.new_buffer("recurrent gates", 4, width, ElementType.INT16)
    return _Buffers(out, cell, gates, recurrent)


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


def _cell(site: GraphLowering, params: LstmParams, buffers: _Buffers, out: View) -> None:
    """One step after its products, element by element."""
    width = buffers.out.width
    i, f, o, g = (buffers.gates.row(k) for k in range(4))
    whole, recurrent = buffers.gates.whole(), buffers.recurrent.whole()
    # Once summed, the recurrent products are used up: their first row becomes scratch space.
    c, s = buffers.cell.row(0), buffers.recurrent.row(0)
    site.add(Vector("VADDS", whole.n, whole, whole, recurrent))
    three = whole.part(0, 2 * buffers.gate_step + width)
    site.add(Vector("VSIGMOID", three.n, three, three, fields=_table_fields(params.sigmoid)))
    site.add(Vector("VTANH", width, g, g, fields=_table_fields(params.gate_tanh)))
    site.add(_gate_mul(width, c, f, c, params.forget_mul))
    site.add(_gate_mul(width, s, i, g, params.input_mul))
    site.add(Vector("VADDS", width, c, c, s))
    if params.cell_clip:
        site.add(Vector("VRESCALE", width, c, c, fields=clip_fields(params.cell_clip)))
    site.add(Vector("VTANH", width, s, c, fields=_table_fields(params.cell_tanh)))
    site.add(_gate_mul(width, out, s, o, params.output_mul))


def _table_fields(scaling: tuple[int, int]) -> dict[str, int]:
    multiplier, shift = scaling
    return {"multiplier": multiplier, "shift": shift}


def _gate_mul(n: int, dst: View, a: View, b: View, params: MulParams) -> Vector:
    """The product of two int16 vectors."""
    types = {"a_type": 1, "b_type": 1, "dst_type": int(dst.buffer.element)}
    return Vector("VMUL", n, dst, a, b, mul_fields(params) | types)


LOWER = {Lstm: lower}
