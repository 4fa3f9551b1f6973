"""The header of a compiled image: everything about it but its bytes, each value in its range.

A program is data here: its entries by name, each with the tensors that the host writes before it
starts the chip there and reads when the chip has halted.
"""

import json
import zlib
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from npu.errors import InputError
from npu.model.config import MAX_FRAMES_OUT, MAX_SYMBOLS_PER_FRAME
from npu.model.graph import MAX_RANK
from npu.model.layer import MAX_ROWS, Layer

FORMAT: Final = 7

BOOT, RESET = "boot", "reset"
"""Entries of every program: load what stays on the chip; states to their start values."""

INVOKE = "invoke"
"""Entry of a single graph: one call."""

_Size = Annotated[int, Field(ge=0, le=2**31)]
_Count = Annotated[int, Field(ge=1, le=2**26)]
_Length = Annotated[int, Field(ge=0, le=2**26)]
_Int32 = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]


DType = Literal["int8", "uint8", "bool", "int16", "int32", "int64", "float32"]
"""Types of what host and chip exchange, as NumPy calls them."""


Stored = Literal["int8", "uint8", "int16"]
"""Types of the integers that stand for real numbers."""


class _Checked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def _finite(config: dict) -> dict:
    """What JSON cannot hold, infinities and endless numbers, is refused here: reports show it."""
    json.dumps(config, allow_nan=False)
    return config


class Section(_Checked):
    """A named part of the memory image."""

    name: str
    address: _Size
    n_bytes: _Size
    crc32: Annotated[int, Field(ge=0, lt=2**32)]

    @staticmethod
    def of(name: str, address: int, data: bytes) -> "Section":
        return Section(name=name, address=address, n_bytes=len(data), crc32=zlib.crc32(data))


class TensorInfo(_Checked):
    """A tensor that host and chip exchange in external memory, in `n_bytes`: whole bus words.

    `stored`: the type of the integers, with `scale` and `zero_point`, that the chip has in place of
    a tensor of real numbers. `index_limit`: values must be 0 to index_limit - 1 (inputs that select
    rows of a table).
    """

    name: str
    dtype: DType
    shape: Annotated[tuple[_Length, ...], Field(max_length=MAX_RANK)]
    stored: Stored | None = None
    n_bytes: _Size
    address: _Size
    scale: Annotated[float, Field(ge=1e-45, le=3.5e38)] | None = None  # of a float32
    zero_point: _Int32 = 0
    index_limit: _Count | None = None

    @property
    def memory_dtype(self) -> str:
        """Type of an element in external memory."""
        return self.dtype if self.stored is None else self.stored


class Loop(_Checked):
    """An entry that takes several calls in one start, and emits symbols.

    The entry's one input is the first place of a ring of `calls`. `tokens_address` holds up to
    `max_symbols_per_frame` words for each frame that a call gives, laid out as
    `npu.runtime.host_interface` says.
    """

    calls: _Count
    tokens_address: _Size


class Entry(_Checked):
    """Where the host may start the program, what it writes before and reads after."""

    name: str
    pc: _Size
    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()
    loop: Loop | None = None


class Probe(_Checked):
    """A vector in SRAM that is worth looking at when the command at `pc` retires."""

    name: str
    pc: _Size
    sram: _Size
    n: _Count


def _of_a_matrix(layer: Layer) -> Layer:
    if not 1 <= sum(layer.rows) <= MAX_ROWS:
        raise ValueError(f"a matrix must have 1 to {MAX_ROWS} rows, not {sum(layer.rows)}")
    return layer


class LayerInfo(_Checked):
    """A weight matrix as it was packed. Its layer gives the rows of each gate.

    `compressed_bits`: everything but scales, as it lies in external memory; `bank_bits`: what the
    weight banks hold of it, directories and streams.

    Of its `tiles`, `resident_tiles` are loaded at boot and stay, in `resident_bytes` of external
    memory. The others come for every product, `streamed_bytes` over the bus: theirs, with their
    row records where these do not stay either.
    """

    layer: Annotated[Layer, AfterValidator(_of_a_matrix)]
    columns: _Count
    nonzeros: _Size
    compressed_bits: _Size
    bank_bits: _Size
    entropy_bits: Annotated[float, Field(ge=0, le=2**60)]
    record_bytes: _Size
    tiles: _Count
    resident_tiles: _Size
    resident_bytes: _Size
    streamed_bytes: _Size

    @model_validator(mode="after")
    def _of_its_tiles(self) -> Self:
        if self.resident_tiles > self.tiles:
            raise ValueError(f"{self.resident_tiles} of {self.tiles} tiles stay")
        if bool(self.resident_bytes) != bool(self.resident_tiles):
            raise ValueError(f"{self.resident_tiles} tiles stay, in {self.resident_bytes} bytes")
        if bool(self.streamed_bytes) == self.resident:
            streamed = self.tiles - self.resident_tiles
            raise ValueError(f"{streamed} tiles are streamed, in {self.streamed_bytes} bytes")
        return self

    @property
    def rows(self) -> int:
        """Rows of all gates."""
        return sum(self.layer.rows)

    @property
    def resident(self) -> bool:
        """Whether all of its tiles stay."""
        return self.resident_tiles == self.tiles


class TransducerInfo(_Checked):
    """The host's part of a transducer.

    `config` is its model.json, `tokens` are its symbols by id. `hears` names the entry whose one
    input is an encoder call of features, which gives `frames_out` frames. The search begins with
    symbol `start`; `blank` and `max_symbols_per_frame` symbols end a frame.
    """

    config: Annotated[dict, AfterValidator(_finite)]
    tokens: tuple[str, ...]
    hears: str
    blank: _Size
    start: _Size
    max_symbols_per_frame: Annotated[int, Field(ge=1, le=MAX_SYMBOLS_PER_FRAME)]
    frames_out: Annotated[int, Field(ge=1, le=MAX_FRAMES_OUT)] = 1

    @model_serializer(mode="wrap")
    def _as_before(self, handler: SerializerFunctionWrapHandler) -> dict:
        """Images of one frame a call are the bytes that they were before there were others."""
        told: dict = handler(self)
        if self.frames_out == 1:
            del told["frames_out"]
        return told


class Header(_Checked):
    """Everything about an image but its bytes.

    `live_bytes`: what lives at the worst moment of the `sram_bytes` that are used, in so many
    `live_places`; an output written over its input is in one place with it.
    """

    format: Literal[7]
    model: str
    chip: dict
    sources: dict[str, str]
    entries: tuple[Entry, ...]
    memory_bytes: _Size
    sram_bytes: _Size
    live_bytes: _Size
    live_places: _Size
    program_crc32: Annotated[int, Field(ge=0, lt=2**32)]
    sections: tuple[Section, ...]
    transducer: TransducerInfo | None = None
    probes: tuple[Probe, ...] = ()
    layers: tuple[LayerInfo, ...]
    command_layers: tuple[Layer, ...]
    command_layer: tuple[_Size, ...]

    @property
    def kind(self) -> Literal["graph", "transducer"]:
        """What the host has before it."""
        return "graph" if self.transducer is None else "transducer"

    def entry(self, name: str) -> Entry:
        """The entry of a name. Raises InputError if there is none."""
        for entry in self.entries:
            if entry.name == name:
                return entry
        known = ", ".join(entry.name for entry in self.entries)
        raise InputError(f"{self.model} has no entry {name!r}; it has: {known}")

    @property
    def invoke(self) -> Entry:
        """The call of a single graph. Raises InputError for a transducer."""
        if self.transducer is not None:
            raise InputError(f"{self.model} is a transducer, not a single graph")
        return self.entry(INVOKE)

    @property
    def features(self) -> TensorInfo:
        """What an encoder call of a transducer takes. Raises InputError for a single graph."""
        if self.transducer is None:
            raise InputError(f"{self.model} is a single graph, not a transducer")
        (features,) = self.entry(self.transducer.hears).inputs
        return features
