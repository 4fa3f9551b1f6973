"""Emission: a linked program becomes commands and a memory image, and both become an image."""

import zlib
from typing import cast

import numpy as np

from compiler.frontends.models import Model
from compiler.lowering.ir import Vector
from compiler.passes.assembler import Assembler, MemoryMap
from compiler.passes.lifetimes import LiveSet
from compiler.passes.link import Hosted, Linked
from compiler.passes.residency import tile_commands
from compiler.passes.schedule import Scheduler
from compiler.passes.weights import WeightPlan, place_weights
from compiler.programs.program import Border, Kept
from npu.chip.isa import BASES, COMMAND_BYTES
from npu.chip.params import ChipParams
from npu.errors import CapacityError
from npu.model.layer import CONTROL
from npu.runtime.header import (
    BOOT,
    FORMAT,
    DType,
    Entry,
    Header,
    LayerInfo,
    Probe,
    Stored,
    TensorInfo,
)
from npu.runtime.image import Image


class Emitter:
    """A program that grows: the `compiler.programs.program.Writer` of its entries."""

    def __init__(self, linked: Linked, plan: WeightPlan, params: ChipParams) -> None:
        self._memory = MemoryMap(params)
        self._linked, self._plan, self._params = linked, plan, params
        self._asm = Assembler()
        self._constants = place_weights(plan, self._memory, params)
        tensors: dict[str, TensorInfo] = {}
        uses = linked.program.uses
        relative = {t.key for use in uses if use.slots > 1 for t in linked.inputs[use.role]}
        self._scheduler = Scheduler(
            self._asm,
            params,
            plan,
            self._memory,
            tensors,
            frozenset(relative),
            plan.ahead(linked.module),
        )
        self._scheduler.constants.place(linked.module)
        self.inputs: dict[str, tuple[TensorInfo, ...]] = {}
        self.outputs: dict[str, tuple[TensorInfo, ...]] = {}
        self._probes: list[Probe] = []
        for use in uses:
            for hosted in linked.inputs[use.role]:
                tensors[hosted.key] = self._exchanged(hosted, use.slots)
            for hosted in linked.outputs[use.role]:
                tensors[hosted.key] = self._exchanged(hosted)
            self.inputs[use.role] = tuple(tensors[t.key] for t in linked.inputs[use.role])
            self.outputs[use.role] = tuple(tensors[t.key] for t in linked.outputs[use.role])

    def _exchanged(self, hosted: Hosted, slots: int = 1) -> TensorInfo:
        """Reserve a tensor in external memory, `slots` of them one behind the other."""
        tensor, buffer, stored = hosted.tensor, hosted.buffer, hosted.stored
        quantization = (tensor if stored is None else stored).quantization
        n_bytes = self._params.align(4 * tensor.size) if buffer is None else buffer.n_bytes
        return TensorInfo(
            name=tensor.name,
            dtype=cast(DType, tensor.dtype),
            stored=None if stored is None else cast(Stored, stored.dtype),
            shape=tensor.shape,
            n_bytes=n_bytes,
            address=self._memory.reserve(slots * n_bytes),
            scale=float(quantization.scale[0]) if quantization is not None else None,
            zero_point=quantization.zero_point if quantization is not None else 0,
            index_limit=hosted.index_limit,
        )

    # --- for the entries ------------------------------------------------------------------------
    def reserve(self, n_bytes: int) -> int:
        """An area of external memory for what is exchanged beyond tensors; its address."""
        return self._memory.reserve(n_bytes)

    def kept(self, role: str) -> tuple[Kept, ...]:
        """The states of a graph, and what crosses from it on the chip."""
        bus = self._params.bus_bytes
        return tuple(
            Kept(buffer.address, buffer.n_bytes, buffer.n_bytes // bus, crosses)
            for buffer, crosses in self._linked.kept[role].items()
        )

    def label(self, name: str) -> None:
        """Name the next command."""
        self._asm.label(name)

    def emit(self, opcode: str, to: str | None = None, **values: int) -> None:
        """Append a command of the control flow (`to`: the label it branches to)."""
        self._asm.emit(opcode, CONTROL, to, **values)

    def jump(self, to: str) -> None:
        """Go to a label."""
        self._asm.jump(to)

    def run(self, role: str) -> None:
        """Append the commands of a graph."""
        self._scheduler.segment(self._linked.module.segments[role])
        use = next(use for use in self._linked.program.uses if use.role == role)
        if use.probe is not None:
            looked_at = self._linked.probed[role]
            self._probes.append(
                Probe(
                    name=use.probe,
                    pc=self._asm.pc - 1,
                    sram=looked_at.address,
                    n=looked_at.n,
                )
            )

    def bring(self, border: Border, frame: int) -> None:
        """Append the commands that give a border's target one of several frames: that of the number
        in a register.
        """
        segment = self._linked.picks[border]
        (copied,) = segment.operators
        assert isinstance(copied, Vector), "what picks is one copy"
        self.emit("MUL", rd=BASES["a"], rs1=frame, imm=copied.travel["a"].step)
        self._scheduler.segment(segment)

    def reset(self) -> None:
        """Append the commands that give every state its start value."""
        self._scheduler.reset(self._linked.module)

    def bytes_per_call(self, role: str) -> int:
        """From one slot of a graph's one input to the next."""
        (tensor,) = self.inputs[role]
        return tensor.n_bytes

    # --- the image ------------------------------------------------------------------------------
    def entries(self) -> tuple[Entry, ...]:
        """Write all entries of the program, `boot` before them."""
        self.label(BOOT)
        self._scheduler.boot(self._constants)
        found = [Entry(name=BOOT, pc=0)]
        for point in self._linked.program.entries:
            self.label(point.name)
            pc = self._asm.pc
            exchange = point.write(self)
            found.append(Entry(name=point.name, pc=pc, **vars(exchange)))
        return tuple(found)

    def image(self, model: Model, sram_bytes: int, live: LiveSet) -> Image:
        """The image of a program that needs so many bytes of SRAM. Raises CapacityError."""
        entries = self.entries()
        try:
            program = self._asm.program(self._params)
        except CapacityError as error:
            raise CapacityError(f"{error}; {self._way_out()}") from error
        layers = self._asm.layers
        places = {layer: place for place, layer in enumerate(dict.fromkeys(layers))}
        header = Header(
            format=FORMAT,
            model=model.name,
            chip=self._params.model_dump(mode="json"),
            sources=model.sources,
            entries=entries,
            memory_bytes=self._memory.size,
            sram_bytes=sram_bytes,
            live_bytes=live.n_bytes,
            live_places=live.places,
            program_crc32=zlib.crc32(program),
            sections=tuple(self._memory.sections),
            transducer=self._linked.program.transducer,
            probes=tuple(self._probes),
            layers=_layers(self._plan, self._params),
            command_layers=tuple(places),
            command_layer=tuple(places[layer] for layer in layers),
        )
        return Image(header, program, np.frombuffer(self._memory.contents(), np.uint8))

    def _way_out(self) -> str:
        """What makes a program shorter: larger banks only where its tiles have made it long."""
        products = self._asm.count("MATVEC")
        tiles = 0
        for matrix, placed in self._plan.matrices.items():
            own = self._plan.streams_records
            commands = sum(tile_commands(tile.stays, own) for tile in placed.tiles)
            tiles += products[matrix.layer] // len(placed.tiles) * (commands - 1)
        if (self._asm.pc - tiles) * COMMAND_BYTES <= self._params.program_bytes:
            return "take a chip with a larger program_bytes, or larger banks (fewer tiles)"
        return "take a chip with a larger program_bytes, or a model of fewer steps and layers"


def _layers(plan: WeightPlan, params: ChipParams) -> tuple[LayerInfo, ...]:
    return tuple(
        LayerInfo(
            layer=matrix.layer,
            columns=matrix.columns_used,
            nonzeros=int(np.count_nonzero(matrix.weights)),
            compressed_bits=placed.packed.compressed_bits,
            bank_bits=placed.packed.bank_bits,
            entropy_bits=placed.packed.entropy_bits,
            record_bytes=placed.packed.record_bytes,
            tiles=len(placed.tiles),
            resident_tiles=sum(tile.stays for tile in placed.tiles),
            resident_bytes=placed.resident_bytes,
            streamed_bytes=plan.streamed_bytes(placed, params),
        )
        for matrix, placed in plan.matrices.items()
    )
