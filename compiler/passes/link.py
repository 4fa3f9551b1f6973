"""Linking: a program's graphs are lowered one by one, and joined with each other and the host."""

import math
from dataclasses import dataclass, field, replace

from compiler.lowering.border import cross_border, one_frame
from compiler.lowering.host import host_input, host_output
from compiler.lowering.ir import Buffer, ChipModule, Segment, StoreOutput, Vector
from compiler.lowering.site import GraphLowering
from compiler.programs.program import Border, Program, Use
from npu.chip.params import ChipParams
from npu.errors import ModelError
from npu.model.graph import Graph, Tensor
from npu.model.layer import Layer
from npu.model.operators.gather import Gather


@dataclass(frozen=True, eq=False)
class Hosted:
    """A tensor that host and chip exchange.

    Attributes
    ----------
    key : by which the operators that move it call it.
    tensor : what the host sees.
    buffer : where it lies on the chip; None for indices, which pass through a register.
    index_limit : its values must be below that.
    stored : the integers that stand for a real tensor in external memory.
    """

    key: str
    tensor: Tensor
    buffer: Buffer | None
    index_limit: int | None = None
    stored: Tensor | None = None


@dataclass(eq=False)
class Linked:
    """A program as chip operators, not placed yet.

    Attributes
    ----------
    module : the operators, a segment for each role.
    inputs, outputs : what the host writes and reads, by role.
    probed : the first outputs of the graphs that are worth looking at, by role.
    kept : the states of the graphs, and what crosses from them on the chip, which is True of that,
        by role.
    picks : segments that pick one of several frames which cross on the chip, by border.
    """

    program: Program
    module: ChipModule
    inputs: dict[str, tuple[Hosted, ...]] = field(default_factory=dict)
    outputs: dict[str, tuple[Hosted, ...]] = field(default_factory=dict)
    probed: dict[str, Buffer] = field(default_factory=dict)
    kept: dict[str, dict[Buffer, bool]] = field(default_factory=dict)
    picks: dict[Border, Segment] = field(default_factory=dict)


def link(
    program: Program, graphs: dict[str, Graph], params: ChipParams, step_blocks: int | None = 1
) -> Linked:
    """Lower every graph of a program and join them. Raises UnsupportedError, CapacityError, and
    ModelError where the graphs do not fit together.

    step_blocks : as `compiler.lowering.site.GraphLowering` takes it.
    """
    linked = Linked(program, ChipModule({}, [], [], program.hot))
    crossed: dict[Border, Buffer] = {}
    for use in program.uses:
        graph = graphs[use.role]
        bound = {
            graph.inputs[border.input]: _one_vector(linked, params, crossed[border], graphs, border)
            for border in program.borders
            if border.target == use.role and border.on_chip
        }
        segment = Segment(use.role)
        linked.module.segments[use.role] = segment
        lowering = GraphLowering(graph, params, segment, bound, use.index, step_blocks)
        linked.inputs[use.role] = _host_inputs(use, lowering, bound)
        linked.outputs[use.role] = _leave(linked, use, lowering, graphs, crossed)
        linked.module.buffers += lowering.buffers
        linked.module.resets += lowering.resets
        states = {buffer: False for buffer, _ in lowering.resets if buffer.n_bytes}
        leaving = {
            buffer: True
            for border, buffer in crossed.items()
            if border.source == use.role and border.on_chip
        }
        # What crosses may be a state.
        linked.kept[use.role] = states | leaving
    return linked


def _host_inputs(use: Use, lowering: GraphLowering, bound: dict[int, Buffer]) -> tuple[Hosted, ...]:
    graph, hosted = lowering.graph, []
    for index in graph.inputs:
        tensor = graph.tensors[index]
        key = host_input(use.role, index)
        limit = _index_limit(graph, index)
        if lowering.only_indices(index):
            if use.index is None:
                hosted.append(Hosted(key, tensor, None, limit))
        elif index not in bound:
            place = lowering.reals.get(index, index)
            hosted.append(
                Hosted(key, tensor, lowering.buffer(place), limit, _stored(lowering, index))
            )
    return tuple(hosted)


def _stored(lowering: GraphLowering, index: int) -> Tensor | None:
    """The integers that stand for a real tensor; None for any other."""
    place = lowering.reals.get(index)
    return None if place is None else lowering.graph.tensors[place]


def _index_limit(graph: Graph, index: int) -> int | None:
    limits = [
        graph.tensors[op.table].shape[op.axis]
        for op in graph.operators
        if isinstance(op, Gather) and op.indices == index
    ]
    return min(limits) if limits else None


def _leave(
    linked: Linked,
    use: Use,
    lowering: GraphLowering,
    graphs: dict[str, Graph],
    crossed: dict[Border, Buffer],
) -> tuple[Hosted, ...]:
    """Add what follows on a graph's own operators: borders, stores, argmax; returns the stored."""
    graph, segment = lowering.graph, lowering.segment
    borders = [border for border in linked.program.borders if border.source == use.role]
    stored: list[Hosted] = []

    def store(tensor: Tensor, buffer: Buffer, integers: Tensor | None = None) -> None:
        key = host_output(use.role, len(stored))
        segment.add(StoreOutput(key, buffer), Layer(use.role, "output"))
        stored.append(Hosted(key, tensor, buffer, stored=integers))

    for position, index in enumerate(graph.outputs):
        leaving = [border for border in borders if border.output == position]
        for border in leaving:
            target = graphs[border.target]
            wanted = target.tensors[target.inputs[border.input]]
            where = f"{border.source} to {border.target}"
            crossed[border] = cross_border(lowering, index, wanted, where, border.frames)
            if border.on_chip:
                crossed[border].persistent = True
            elif border.frames == 1:
                store(wanted, crossed[border])
            else:
                store(replace(wanted, shape=(border.frames, *wanted.shape)), crossed[border])
        if use.stores and all(border.on_chip for border in leaving):
            store(graph.tensors[index], lowering.buffer(index), _stored(lowering, index))
        if position == 0 and use.probe is not None:
            linked.probed[use.role] = lowering.buffer(index)
            if leaving:
                # It is looked at when all have crossed, and may be used up by then.
                lowering.buffer(index).persistent = True
    if use.argmax is not None:
        values = lowering.buffer(graph.outputs[0]).whole()
        largest = Vector("VARGMAX", values.n, a=values, fields={"rd": use.argmax})
        segment.add(largest, Layer(use.role, "argmax"))
    return tuple(stored)


def _one_vector(
    linked: Linked,
    params: ChipParams,
    buffer: Buffer,
    graphs: dict[str, Graph],
    border: Border,
) -> Buffer:
    """The buffer of what crosses, or of one of its frames.

    Raises ModelError where that is more than one vector.
    """
    source, target = graphs[border.source], graphs[border.target]
    shape = source.tensors[source.outputs[border.output]].shape
    rows = math.prod(shape[:-1])
    if rows != border.frames:
        raise ModelError(
            f"{target.name}: input {target.tensors[target.inputs[border.input]].name!r} must be "
            f"one vector, the border gives {rows} rows in {border.frames} frames"
        )
    if border.frames == 1:
        return buffer
    where = f"{border.source} to {border.target}"
    frame, segment = one_frame(buffer, border.frames, where, border.target, params)
    linked.picks[border] = linked.module.segments[where] = segment
    linked.module.buffers.append(frame)
    return frame
