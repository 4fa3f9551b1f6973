"""The compiler, as a list of passes: model in, image out.

model -> lower -> verify -> place weights (deal, compress) -> allocate SRAM -> schedule -> emit
-> verify the image
"""

import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from compiler import verify
from compiler.allocate import allocate
from compiler.assembler import Assembler, MemoryMap
from compiler.ir import Buffer, ChipModule, LayerError, Segment, StoreOutput, Vector
from compiler.lowering.border import cross_border
from compiler.lowering.host import host_input, host_output
from compiler.lowering.site import GraphLowering
from compiler.model import TRANSDUCER_GRAPHS, Model
from compiler.schedule import (
    CALLS,
    EMITTED,
    FEATURES,
    RUNNING,
    SCRATCH,
    SYMBOL,
    TOKENS,
    WORD,
    Scheduler,
    place_weights,
)
from compiler.weights import WeightPlan, check_weights, plan_weights
from npu.chip.isa import COMMAND_BYTES
from npu.chip.params import ChipParams
from npu.errors import CapacityError, ModelError, NpuError
from npu.model.graph import Graph
from npu.model.layer import Layer
from npu.model.operators.gather import Gather
from npu.model.verify import verify as verify_graph
from npu.runtime.image import (
    CALL_SHIFT,
    Header,
    Image,
    LayerInfo,
    Probe,
    TensorInfo,
    TransducerInfo,
)

# Encoder calls that the host may hand over in one start of the chip.
CALLS_PER_START = 16

Progress = Callable[[str], None]


@dataclass(eq=False)
class Lowered:
    """A module and the buffers through which its graphs meet host and each other."""

    module: ChipModule
    inputs: dict[str, Buffer]
    outputs: dict[str, Buffer]


def compile_model(
    model: Model, params: ChipParams, progress: Progress = lambda text: None
) -> Image:
    """Compile a model for a chip. The same model and chip give the same bytes.

    Raises UnsupportedError for what the chip cannot run, CapacityError where it does not fit. The
    message begins with the file.
    """
    with _errors_named(model):
        progress("lowering")
        for graph in model.graphs.values():
            verify_graph(graph)
        lowered = lower(model, params)
        progress("compressing weights")
        plan = plan_weights(lowered.module, params)
        verify.weights(plan, params)
        sram_bytes = allocate(lowered.module, params)
        verify.allocation(lowered.module, params)
        progress("emitting")
        emit = _emit_transducer if model.is_transducer else _emit_graph
        image = emit(model, lowered, plan, params, sram_bytes)
        verify.image(image)
        return image


def check_model(model: Model, params: ChipParams) -> None:
    """Raise what `compile_model` would, as far as it shows without compressing the weights.

    What is left is whether the tiles, their records and the program fit the chip.
    """
    with _errors_named(model):
        for graph in model.graphs.values():
            verify_graph(graph)
        lowered = lower(model, params)
        check_weights(lowered.module, params)
        allocate(lowered.module, params)


@contextmanager
def _errors_named(model: Model) -> Iterator[None]:
    """Errors begin with the file: that of a graph, whose layer they may name, or the model's."""
    try:
        yield
    except LayerError as error:
        graph = model.graphs[error.layer.graph]
        raise CapacityError(f"{graph.name}: {error.layer.place}: {error.reason}") from error
    except NpuError as error:
        text = str(error)
        if any(text.startswith(f"{graph.name}: ") for graph in model.graphs.values()):
            raise
        raise type(error)(f"{model.name}: {text}") from error


# --- lowering -------------------------------------------------------------------------------------
def lower(model: Model, params: ChipParams) -> Lowered:
    """A model as chip operators, not placed yet. Raises UnsupportedError, CapacityError."""
    lowered = _lower_transducer(model, params) if model.is_transducer else _lower(model, params)
    verify.module(lowered.module)
    return lowered


def _lower(model: Model, params: ChipParams) -> Lowered:
    graph = model.graphs["main"]
    segment = Segment("main")
    lowering = GraphLowering(graph, params, segment)
    outputs = {}
    for position, index in enumerate(graph.outputs):
        key, buffer = host_output(position), lowering.buffer(index)
        segment.add(StoreOutput(key, buffer), Layer("main", "output"))
        outputs[key] = buffer
    module = ChipModule({"main": segment}, lowering.buffers, lowering.resets)
    inputs = {
        host_input(i): lowering.buffer(i) for i in graph.inputs if graph.tensors[i].dtype == "int8"
    }
    return Lowered(module, inputs, outputs)


def _lower_transducer(model: Model, params: ChipParams) -> Lowered:
    segments = {role: Segment(role) for role in TRANSDUCER_GRAPHS}
    graphs = model.graphs
    encoder = GraphLowering(graphs["encoder"], params, segments["encoder"])
    decoder = GraphLowering(graphs["decoder"], params, segments["decoder"], index_register=SYMBOL)
    joiner_graph = graphs["joiner"]
    bound = {}
    for index, source in zip(joiner_graph.inputs, (encoder, decoder), strict=True):
        wanted = joiner_graph.tensors[index].quantization
        assert wanted is not None, "load_model requires quantised borders"
        output = source.graph.outputs[0]
        buffer = cross_border(source, output, wanted, f"{source.segment.name} to joiner")
        buffer.persistent = True
        bound[index] = _flattened(buffer, joiner_graph, index)
    _check_embedding(decoder.graph, graphs["joiner"])
    joiner = GraphLowering(joiner_graph, params, segments["joiner"], bound)
    logits = joiner.buffer(joiner_graph.outputs[0])
    segments["joiner"].add(
        Vector("VARGMAX", logits.whole().n, a=logits.whole(), fields={"rd": SYMBOL}),
        Layer("joiner", "argmax"),
    )
    module = ChipModule(
        segments,
        [*encoder.buffers, *decoder.buffers, *joiner.buffers],
        [*encoder.resets, *decoder.resets],
    )
    features = encoder.buffer(encoder.graph.inputs[0])
    encoded = encoder.buffer(encoder.graph.outputs[0])
    encoded.persistent = True
    return Lowered(module, {"features": features}, {"encoder_out": encoded, "logits": logits})


def _flattened(buffer: Buffer, graph: Graph, index: int) -> Buffer:
    tensor = graph.tensors[index]
    if buffer.rows != 1:
        raise ModelError(
            f"{graph.name}: input {tensor.name!r} must be one vector, the border gives "
            f"{buffer.rows} rows; the emit loop takes one encoder frame per call"
        )
    return buffer


def _check_embedding(decoder: Graph, joiner: Graph) -> None:
    symbols = joiner.tensors[joiner.outputs[0]].size
    for op in decoder.operators:
        if isinstance(op, Gather) and decoder.tensors[op.table].shape[0] < symbols:
            raise ModelError(
                f"{decoder.name}: {op.name}: its table has fewer rows than the joiner's "
                f"{symbols} symbols"
            )


# --- emission -------------------------------------------------------------------------------------
def _tensor(
    name: str,
    graph: Graph,
    index: int,
    params: ChipParams,
    memory: MemoryMap,
    buffer: Buffer | None = None,
) -> TensorInfo:
    """Reserve a host-side tensor in external memory."""
    tensor = graph.tensors[index]
    rows, width = (1, tensor.size) if buffer is None else (buffer.rows, buffer.width)
    stride = params.align(width * 4) if buffer is None else buffer.stride
    quantization = tensor.quantization
    limits = [
        graph.tensors[op.table].shape[0]
        for op in graph.operators
        if isinstance(op, Gather) and op.indices == index
    ]
    return TensorInfo(
        name=name,
        dtype="int8" if tensor.dtype == "int8" else "int32",
        shape=tensor.shape,
        rows=rows,
        width=width,
        stride=stride,
        address=memory.reserve(rows * stride),
        scale=float(quantization.scale[0]) if quantization is not None else None,
        zero_point=quantization.zero_point if quantization is not None else 0,
        index_limit=min(limits) if limits else None,
    )


def _emit_graph(
    model: Model, lowered: Lowered, plan: WeightPlan, params: ChipParams, sram_bytes: int
) -> Image:
    graph = model.graphs["main"]
    asm, memory = Assembler(), MemoryMap(params)
    constants = place_weights(plan, memory, params)
    tensors: dict[str, TensorInfo] = {}
    scheduler = Scheduler(asm, params, plan, memory, tensors)
    scheduler.place_tables(lowered.module)
    inputs, outputs = [], []
    for i in graph.inputs:
        buffer = lowered.inputs.get(host_input(i))
        inputs.append(_tensor(graph.tensors[i].name, graph, i, params, memory, buffer))
        tensors[host_input(i)] = inputs[-1]
    for position, i in enumerate(graph.outputs):
        buffer = lowered.outputs[host_output(position)]
        outputs.append(_tensor(graph.tensors[i].name, graph, i, params, memory, buffer))
        tensors[host_output(position)] = outputs[-1]
    asm.label("boot")
    scheduler.boot(constants)
    asm.label("reset")
    scheduler.reset(lowered.module)
    asm.emit("HALT")
    asm.label("invoke")
    scheduler.segment(lowered.module.segments["main"])
    asm.emit("HALT")
    return _image(
        *(model, "graph", asm, memory, plan, params, sram_bytes),
        inputs=tuple(inputs),
        outputs=tuple(outputs),
    )


def _emit_transducer(
    model: Model, lowered: Lowered, plan: WeightPlan, params: ChipParams, sram_bytes: int
) -> Image:
    config, tokens = model.config, model.tokens
    assert config is not None and tokens is not None
    encoder = model.graphs["encoder"]
    asm, memory = Assembler(), MemoryMap(params)
    constants = place_weights(plan, memory, params)
    tensors: dict[str, TensorInfo] = {}
    buffer = lowered.inputs["features"]
    host_key, host_name = (
        host_input(encoder.inputs[0]),
        encoder.tensors[encoder.inputs[0]].name,
    )
    scheduler = Scheduler(asm, params, plan, memory, tensors, frozenset([host_key]))
    scheduler.place_tables(lowered.module)
    features = _tensor(host_name, encoder, encoder.inputs[0], params, memory, buffer)
    memory.reserve((CALLS_PER_START - 1) * buffer.n_bytes)
    tensors[host_key] = features
    limit = config.max_symbols_per_frame
    tokens_at = memory.reserve(4 * CALLS_PER_START * limit)
    segments = lowered.module.segments

    asm.label("boot")
    scheduler.boot(constants)

    # An utterance begins: clear the states, run the decoder on the start symbol, and halt.
    asm.label("reset")
    scheduler.reset(lowered.module)
    asm.emit("ADD", rd=SYMBOL, imm=config.start_id)
    asm.emit("ADD", rd=RUNNING, imm=0)
    asm.jump("decoder")

    # The host wrote CALLS encoder inputs: run them and leave TOKENS words in external memory.
    asm.label("frames")
    asm.emit("ADD", rd=FEATURES, imm=0)
    asm.emit("ADD", rd=TOKENS, imm=0)
    asm.emit("ADD", rd=RUNNING, imm=1)
    asm.label("next call")
    asm.emit("BEQ", rs1=CALLS, to="done")
    scheduler.segment(segments["encoder"])
    encoder_end = asm.pc - 1
    asm.emit("ADD", rd=FEATURES, rs1=FEATURES, imm=buffer.n_bytes)
    asm.emit("ADD", rd=CALLS, rs1=CALLS, imm=-1)
    asm.emit("ADD", rd=EMITTED, imm=0)
    asm.label("joiner")
    scheduler.segment(segments["joiner"])
    argmax = asm.pc - 1
    asm.emit("BEQ", rs1=SYMBOL, imm=config.blank_id, to="next call")
    asm.emit("MUL", rd=SCRATCH, rs1=TOKENS, imm=4)
    # With the calls left behind it, which say whose symbol it is.
    asm.emit("MUL", rd=WORD, rs1=CALLS, imm=1 << CALL_SHIFT)
    asm.emit("ADD", rd=WORD, rs1=WORD, rs2=SYMBOL)
    asm.emit("STORE_REG", rs1=SCRATCH, rs2=WORD, ext=tokens_at)
    asm.emit("ADD", rd=TOKENS, rs1=TOKENS, imm=1)
    asm.label("decoder")
    scheduler.segment(segments["decoder"])
    asm.emit("BEQ", rs1=RUNNING, to="done")
    asm.emit("ADD", rd=EMITTED, rs1=EMITTED, imm=1)
    asm.emit("BLT", rs1=EMITTED, imm=limit, to="joiner")
    asm.jump("next call")
    asm.label("done")
    asm.emit("HALT")

    probes = tuple(
        Probe(name=name, pc=pc, sram=lowered.outputs[name].address, n=lowered.outputs[name].width)
        for name, pc in (("encoder_out", encoder_end), ("logits", argmax))
    )
    transducer = TransducerInfo(
        config=config.model_dump(mode="json"),
        tokens=tokens.symbols,
        features=features,
        calls=CALLS_PER_START,
        tokens_address=tokens_at,
        call_shift=CALL_SHIFT,
        max_symbols_per_frame=limit,
    )
    return _image(
        *(model, "transducer", asm, memory, plan, params, sram_bytes),
        transducer=transducer,
        probes=probes,
    )


def _way_out(asm: Assembler, plan: WeightPlan, params: ChipParams) -> str:
    """What makes a program shorter: larger banks only where its tiles have made it long."""
    products = asm.count("MATVEC")
    tiles = 0
    for matrix, placed in plan.matrices.items():
        # A streamed tile is also waited for and loaded, with its records.
        commands = 1 if placed.resident else 4
        tiles += products[matrix.layer] * commands * (len(placed.tiles) - 1) // len(placed.tiles)
    if (asm.pc - tiles) * COMMAND_BYTES <= params.program_bytes:
        return "take a chip with a larger program_bytes, or larger banks (fewer tiles)"
    return "take a chip with a larger program_bytes, or a model of fewer steps and layers"


def _image(
    model: Model,
    kind: Literal["graph", "transducer"],
    asm: Assembler,
    memory: MemoryMap,
    plan: WeightPlan,
    params: ChipParams,
    sram_bytes: int,
    **fields: Any,
) -> Image:
    try:
        program = asm.program(params)
    except CapacityError as error:
        raise CapacityError(f"{error}; {_way_out(asm, plan, params)}") from error
    contents = np.frombuffer(memory.contents(), np.uint8)
    places = {layer: i for i, layer in enumerate(dict.fromkeys(asm.layers))}
    entries = ("boot", "reset", "invoke" if kind == "graph" else "frames")
    layers = []
    for matrix, placed in plan.matrices.items():
        layers.append(
            LayerInfo(
                layer=matrix.layer,
                columns=matrix.columns_used,
                nonzeros=int(np.count_nonzero(matrix.weights)),
                compressed_bits=placed.packed.compressed_bits,
                bank_bits=placed.packed.bank_bits,
                entropy_bits=placed.packed.entropy_bits,
                record_bytes=placed.packed.record_bytes,
                tiles=len(placed.tiles),
                resident=placed.resident,
            )
        )
    header = Header(
        format=2,
        model=model.name,
        kind=kind,
        chip=params.model_dump(mode="json"),
        sources=model.sources,
        entries={name: asm.labels[name] for name in entries},
        memory_bytes=memory.size,
        sram_bytes=sram_bytes,
        program_crc32=zlib.crc32(program),
        sections=tuple(memory.sections),
        layers=tuple(layers),
        command_layers=tuple(places),
        command_layer=tuple(places[layer] for layer in asm.layers),
        **fields,
    )
    return Image(header, program, contents)
