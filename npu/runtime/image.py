"""The compiled image (`.npu`): a safetensors file with the program, the memory image and a header.

The header is JSON in the file's metadata, checked key by key; every section of the memory image and
the program carry a CRC-32. Nothing in a damaged or hostile file is executed or believed before
these checks; memory is allocated only for what the file really holds.
"""

import json
import math
import zlib
from pathlib import Path
from typing import Annotated, Final, Literal

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from npu.chip.isa import COMMAND_BYTES, decode_program
from npu.chip.params import ChipParams, params_from_dict
from npu.errors import ImageError, ParamsError
from npu.files import read_file
from npu.model.config import MAX_SYMBOLS_PER_FRAME
from npu.model.graph import MAX_RANK
from npu.model.layer import MAX_ROWS, Layer

METADATA_KEY = "zeroskip"
CALL_SHIFT: Final = 16

MAX_FILE_BYTES = (1 << 31) + (64 << 20)
"""The largest external memory that a chip can have, with a header and a program."""

_Size = Annotated[int, Field(ge=0, le=2**31)]
_Count = Annotated[int, Field(ge=1, le=2**26)]
_Int8 = Annotated[int, Field(ge=-128, le=127)]


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
    """A tensor that host and chip exchange in external memory, `stride` bytes from row to row.

    `index_limit`: values must be 0 to index_limit - 1 (inputs that select rows of a table).
    """

    name: str
    dtype: Literal["int8", "int32"]
    shape: Annotated[tuple[_Count, ...], Field(max_length=MAX_RANK)]
    rows: _Count
    width: _Count
    stride: _Size
    address: _Size
    scale: Annotated[float, Field(ge=1e-45, le=3.5e38)] | None = None  # of a float32
    zero_point: _Int8 = 0
    index_limit: _Count | None = None


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
    """

    layer: Annotated[Layer, AfterValidator(_of_a_matrix)]
    columns: _Count
    nonzeros: _Size
    compressed_bits: _Size
    bank_bits: _Size
    entropy_bits: Annotated[float, Field(ge=0, le=2**60)]
    record_bytes: _Size
    tiles: _Count
    resident: bool

    @property
    def rows(self) -> int:
        """Rows of all gates."""
        return sum(self.layer.rows)


class TransducerInfo(_Checked):
    """How the host feeds a transducer: features in, tokens out.

    `features.address` is a ring of `calls` encoder inputs; `tokens_address` holds up to
    calls * max_symbols_per_frame words: the symbol in the low `call_shift` bits, above it how many
    calls of the start were left behind the one that emitted it.
    """

    config: Annotated[dict, AfterValidator(_finite)]
    tokens: tuple[str, ...]
    features: TensorInfo
    calls: _Count
    tokens_address: _Size
    call_shift: Literal[16]
    max_symbols_per_frame: Annotated[int, Field(ge=1, le=MAX_SYMBOLS_PER_FRAME)]


class Header(_Checked):
    """Everything about an image but its bytes."""

    format: Literal[2]
    model: str
    kind: Literal["graph", "transducer"]
    chip: dict
    sources: dict[str, str]
    entries: dict[str, _Size]
    memory_bytes: _Size
    sram_bytes: _Size
    program_crc32: Annotated[int, Field(ge=0, lt=2**32)]
    sections: tuple[Section, ...]
    inputs: tuple[TensorInfo, ...] = ()
    outputs: tuple[TensorInfo, ...] = ()
    transducer: TransducerInfo | None = None
    probes: tuple[Probe, ...] = ()
    layers: tuple[LayerInfo, ...]
    command_layers: tuple[Layer, ...]
    command_layer: tuple[_Size, ...]


class Image:
    """A compiled model.

    Attributes
    ----------
    header : Header.
    program : raw program.
    memory : (n,) uint8, the constant part of external memory, from address 0.
    params : the chip it was compiled for.
    """

    def __init__(self, header: Header, program: bytes, memory: np.ndarray) -> None:
        self.header = header
        self.program = program
        self.memory = memory
        self.params: ChipParams = params_from_dict(header.chip, "the image's chip")

    def to_bytes(self) -> bytes:
        """The `.npu` file; the same image gives the same bytes."""
        from safetensors.numpy import save

        header = json.dumps(self.header.model_dump(mode="json"), sort_keys=True)
        tensors = {"memory": self.memory, "program": np.frombuffer(self.program, np.uint8)}
        return save(tensors, metadata={METADATA_KEY: header})

    @staticmethod
    def load(path: Path) -> "Image":
        """Read and check a `.npu` file. Raises ImageError naming file, place and reason."""
        raw = read_file(path, MAX_FILE_BYTES, ImageError, _no_header)
        try:
            return Image.from_bytes(raw)
        except ImageError as error:
            raise ImageError(f"{path}: {error}") from error

    @staticmethod
    def from_bytes(raw: bytes) -> "Image":
        """Check and take apart the bytes of a `.npu` file. Raises ImageError."""
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            tensors = load(raw)
            metadata = json.loads(raw[8 : 8 + int.from_bytes(raw[:8], "little")])
            text = metadata["__metadata__"][METADATA_KEY]
        except (SafetensorError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ImageError(
                f"not a compiled image, or cut short ({type(error).__name__}: {error}); "
                "compile the model again"
            ) from error
        try:
            header = Header.model_validate_json(text)
        except (ValidationError, RecursionError) as error:
            raise ImageError(f"damaged header: {_first_problem(error)}") from error
        for name in ("memory", "program"):
            if name not in tensors or tensors[name].dtype != np.uint8 or tensors[name].ndim != 1:
                raise ImageError(f"damaged: no byte vector {name!r}")
        try:
            image = Image(header, tensors["program"].tobytes(), tensors["memory"])
        except ParamsError as error:
            raise ImageError(f"damaged header: {error}") from error
        image._check()
        return image

    def _check(self) -> None:
        header = self.header
        if zlib.crc32(self.program) != header.program_crc32:
            raise ImageError(
                f"section 'program' (offset 0, {len(self.program)} bytes) is damaged: its CRC-32 "
                f"is {zlib.crc32(self.program):#010x}, must be {header.program_crc32:#010x}"
            )
        end = 0
        for section in header.sections:
            if section.address != end:
                raise ImageError(
                    f"section {section.name!r} is at {section.address:#x}, must be at {end:#x}"
                )
            end += section.n_bytes
            data = self.memory[section.address : end]
            if len(data) != section.n_bytes:
                raise ImageError(f"section {section.name!r} runs past the end of the memory image")
            if (crc := zlib.crc32(data.tobytes())) != section.crc32:
                raise ImageError(
                    f"section {section.name!r} (offset {section.address:#x}, "
                    f"{section.n_bytes} bytes) is damaged: its CRC-32 is {crc:#010x}, "
                    f"must be {section.crc32:#010x}; compile the model again"
                )
        if end != len(self.memory):
            raise ImageError(f"{len(self.memory) - end} bytes of the memory image have no section")
        if not len(self.memory) <= header.memory_bytes <= self.params.memory_bytes:
            raise ImageError(
                f"memory_bytes is {header.memory_bytes}, must be {len(self.memory)} to "
                f"{self.params.memory_bytes}"
            )
        n_commands = len(decode_program(self.program))
        if len(header.command_layer) != n_commands:
            raise ImageError(f"{len(header.command_layer)} command layers, {n_commands} commands")
        if any(index >= len(header.command_layers) for index in header.command_layer):
            raise ImageError("a command belongs to a layer that is not listed")
        wanted = {"boot", "reset", "invoke" if header.kind == "graph" else "frames"}
        if set(header.entries) != wanted:
            raise ImageError(f"entries are {sorted(header.entries)}, must be {sorted(wanted)}")
        for name, pc in header.entries.items():
            if pc >= n_commands:
                raise ImageError(f"entry {name!r} is {pc}, the program has {n_commands} commands")
        if (header.transducer is None) != (header.kind == "graph"):
            raise ImageError(f"an image of kind {header.kind!r} with the other kind's header")
        self._check_tensors()

    def _check_tensors(self) -> None:
        tensors = [*self.header.inputs, *self.header.outputs]
        extents = [(t.name, t.address, t.rows * t.stride) for t in tensors]
        if (t := self.header.transducer) is not None:
            tensors.append(t.features)
            features = t.calls * t.features.rows * t.features.stride
            extents.append((t.features.name, t.features.address, features))
            if t.features.dtype != "int8" or t.features.shape[:1] != (1,):
                raise ImageError(f"tensor {t.features.name!r} must be int8 of shape [1, ...]")
            extents.append(("tokens", t.tokens_address, 4 * t.calls * t.max_symbols_per_frame))
        for tensor in tensors:
            size = math.prod(tensor.shape)
            item = 1 if tensor.dtype == "int8" else 4
            if tensor.rows * tensor.width != size or tensor.stride < tensor.width * item:
                raise ImageError(f"tensor {tensor.name!r}: its rows do not hold its shape")
        for name, address, n_bytes in extents:
            if address < len(self.memory) or address + n_bytes > self.header.memory_bytes:
                raise ImageError(f"tensor {name!r} lies outside the exchange area")
        for probe in self.header.probes:
            if probe.sram + probe.n > self.params.sram_bytes:
                raise ImageError(f"probe {probe.name!r} lies outside SRAM")

    @property
    def n_commands(self) -> int:
        return len(self.program) // COMMAND_BYTES


def _no_header(head: bytes, size: int) -> str | None:
    """Why this is no safetensors file: it begins with its header's length, then the header."""
    length = int.from_bytes(head[:8], "little")
    if len(head) > 8 and head[8:9] == b"{" and length <= size - 8:
        return None
    return (
        "not a compiled image, or cut short (it does not begin with a header); "
        "compile the model again"
    )


def _first_problem(error: Exception) -> str:
    if isinstance(error, ValidationError):
        item = error.errors()[0]
        return f"{'.'.join(map(str, item['loc']))}: {item['msg']}"
    return type(error).__name__
