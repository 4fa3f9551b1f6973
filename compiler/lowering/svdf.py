"""SVDF: a product with each call's input, and a weighted sum over the last calls' products.

The states lie as int16, less their zero point, those of a unit's filters one behind the other. What
follows them stays: numbers whose products with numbers behind the time weights are the bias, so
that one dot product gives a unit's sum.
"""

from dataclasses import dataclass

import numpy as np

from compiler.lowering.dots import bias_terms
from compiler.lowering.ir import LoadConstant, MatVec, Positions, Vector, View, Window
from compiler.lowering.product import Gate, stacked
from compiler.lowering.rescale import identity_fields
from compiler.lowering.site import GraphLowering
from compiler.lowering.walks import Operand, walk
from npu.chip.isa import ElementType
from npu.model.numerics import INT8_MAX, INT8_MIN, INT16_MAX, INT16_MIN
from npu.model.operators.svdf import Svdf, SvdfParams

_WIDE = int(ElementType.INT16)


@dataclass(frozen=True)
class _Layout:
    """Sizes, and how many elements lie from one unit to the next."""

    batch: int
    units: int
    rank: int
    memory: int
    unit_step: int

    @property
    def filters(self) -> int:
        return self.units * self.rank

    @property
    def newest(self) -> np.ndarray:
        """Where each filter of a sequence keeps its last product."""
        unit, filter_ = np.divmod(np.arange(self.filters), self.rank)
        return unit * self.unit_step + (filter_ + 1) * self.memory - 1


def lower(site: GraphLowering, op: Svdf, params: SvdfParams) -> None:
    """States move forward, products take the last places, and every unit is a dot product."""
    tensors = site.graph.tensors
    time_weights = site.constant(op.time_weights)
    filters, memory = time_weights.shape
    units = filters // op.rank
    factors, terms = bias_terms(site.constant(op.bias))
    layout = _Layout(
        tensors[op.input].shape[0], units, op.rank, memory, op.rank * memory + len(factors)
    )
    dst = site.new(op.output).whole()
    if not dst.n:
        return
    weights = np.concatenate([time_weights.reshape(units, -1), terms], axis=1).astype(np.int16)
    state = _state(site, layout, factors)
    _forward(site, layout, state)
    _products(site, op, params, layout, state)
    over_time = site.new_buffer("weights over time", weights.size, ElementType.INT16)
    site.add(LoadConstant(weights, over_time))
    operands = {
        "dst": Operand(dst, (units, 1, 0)),
        "a": Operand(state, (units * layout.unit_step, layout.unit_step, 1)),
        "b": Operand(over_time.whole(), (0, layout.unit_step, 1)),
    }
    fields = {
        "a_type": _WIDE,
        "b_type": _WIDE,
        "dst_zero": params.output_zero_point,
        "multiplier": params.multiplier,
        "shift": params.shift,
        "lo": INT8_MIN,
        "hi": INT8_MAX,
    }
    walk(site, "VDOT", [layout.batch, units, layout.unit_step], operands, fields, fixed=1)


def _state(site: GraphLowering, layout: _Layout, factors: tuple[int, ...]) -> View:
    """What lives on from call to call."""
    start = np.zeros((layout.batch, layout.units, layout.unit_step), np.int16)
    start[..., layout.unit_step - len(factors) :] = factors
    buffer = site.new_buffer("state", start.size, ElementType.INT16)
    buffer.persistent = True
    site.resets.append((buffer, start))
    return buffer.whole()


def _forward(site: GraphLowering, layout: _Layout, state: View) -> None:
    """Every product but a filter's oldest moves one place forward."""
    if layout.memory == 1:
        return
    strides = layout.unit_step, layout.memory, 1
    sizes = [layout.batch * layout.units, layout.rank, layout.memory - 1]
    operands = {
        "dst": Operand(state, strides),
        "a": Operand(state.part(1, state.n - 1), strides),
    }
    # As loops even where it is one vector: a plain command's source and destination are apart.
    walk(site, "VCOPY", sizes, operands, {"a_type": _WIDE}, fixed=1)


def _products(
    site: GraphLowering, op: Svdf, params: SvdfParams, layout: _Layout, state: View
) -> None:
    """The products with this call's input, at their places in the state."""
    zero = params.state_zero_point
    if not zero:
        _product(site, op, params, layout, state, layout.newest)
        return
    # With its zero point a product wraps, as the C source does where the sum leaves the type.
    found = site.new_buffer("products", layout.batch * layout.filters, ElementType.INT8).whole()
    _product(site, op, params, layout, found, np.arange(layout.filters))
    wrapped = (np.arange(INT8_MIN, INT8_MAX + 1) + zero).astype(np.int8)
    site.add(Vector("VLUT", found.n, found, found, table=wrapped))
    fields = identity_fields(INT16_MIN, INT16_MAX) | {"a_zero": zero, "dst_type": _WIDE}
    first = int(layout.newest[0])
    operands = {
        "dst": Operand(state.part(first, state.n - first), (layout.unit_step, layout.memory)),
        "a": Operand(found, (layout.rank, 1)),
    }
    walk(site, "VRESCALE", [layout.batch * layout.units, layout.rank], operands, fields)


def _product(
    site: GraphLowering,
    op: Svdf,
    params: SvdfParams,
    layout: _Layout,
    dst: View,
    destination: np.ndarray,
) -> None:
    """One product for the vectors of a batch; `destination` of the rows of the first."""
    weights = site.constant(op.feature_weights)
    features = weights.shape[1]
    gate = Gate(weights, None, params.feature)
    columns = site.params.align(features)
    matrix = stacked(site.layer("features", rows=(len(weights),)), [gate], destination, columns)
    src = site.buffer(op.input)
    step = dst.n // layout.batch * dst.element.n_bytes
    site.add(
        MatVec(
            matrix,
            View(src, 0, columns),
            dst,
            src_zero=params.feature.input_zero_point,
            dst_zero=0,
            lo=params.feature.lo,
            hi=params.feature.hi,
            window=Window(length=features, width=src.n),
            positions=Positions(count_x=layout.batch, a_x=features, dst_x=step),
        )
    )


LOWER = {Svdf: lower}
