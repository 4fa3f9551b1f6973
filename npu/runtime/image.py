"""The compiled image (`.npu`): a safetensors file with the program, the memory image and a header.

The header is JSON in the file's metadata, checked key by key; every section of the memory image and
the program carry a CRC-32. Nothing in a damaged or hostile file is executed or believed before
these checks; memory is allocated only for what the file really holds.
"""

import json
import math
import zlib
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from npu.chip.isa import COMMAND_BYTES, decode_program
from npu.chip.params import ChipParams, params_from_dict
from npu.errors import ImageError, ParamsError
from npu.files import read_file
from npu.runtime.header import BOOT, FORMAT, RESET, Entry, Header, TensorInfo

METADATA_KEY = "zeroskip"

MAX_FILE_BYTES = (1 << 31) + (64 << 20)
"""The largest external memory that a chip can have, with a header and a program."""


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
            raise ImageError(_first_problem(error)) from error
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
        self._check_entries(n_commands)
        self._check_transducer()
        extents = [e for entry in header.entries for e in self._extents(entry)]
        for name, address, n_bytes in extents:
            if address < len(self.memory) or address + n_bytes > header.memory_bytes:
                raise ImageError(f"tensor {name!r} lies outside the exchange area")
        for probe in header.probes:
            if probe.sram + probe.n > self.params.sram_bytes:
                raise ImageError(f"probe {probe.name!r} lies outside SRAM")

    def _check_entries(self, n_commands: int) -> None:
        """Every program boots and begins anew; what else it can be asked is its own."""
        entries = self.header.entries
        names = [entry.name for entry in entries]
        if len(set(names)) != len(names) or not {BOOT, RESET} <= set(names):
            raise ImageError(
                f"entries are {sorted(names)}, each must be there once, and {BOOT!r} and {RESET!r}"
            )
        for entry in entries:
            if entry.pc >= n_commands:
                raise ImageError(
                    f"entry {entry.name!r} is {entry.pc}, the program has {n_commands} commands"
                )
            if entry.name in (BOOT, RESET) and (entry.inputs or entry.outputs):
                raise ImageError(f"entry {entry.name!r} exchanges tensors, it must not")
            if entry.loop is not None and (len(entry.inputs) != 1 or entry.outputs):
                raise ImageError(f"entry {entry.name!r} loops over one input, without outputs")
            for tensor in (*entry.inputs, *entry.outputs):
                _check_shape(tensor)

    def _check_transducer(self) -> None:
        """The features of its calls, its symbols, and whose loop its loops are."""
        header, info = self.header, self.header.transducer
        if info is None:
            if any(entry.loop is not None for entry in header.entries):
                raise ImageError("an image of kind 'graph' with the loop of a transducer")
            return
        hears = next((entry for entry in header.entries if entry.name == info.hears), None)
        if hears is None or len(hears.inputs) != 1:
            raise ImageError(f"features go to {info.hears!r}, which is no entry of one input")
        (features,) = hears.inputs
        if features.dtype != "int8" or features.shape[:1] != (1,):
            raise ImageError(f"tensor {features.name!r} must be int8 of shape [1, ...]")
        for name, symbol in (("blank", info.blank), ("start", info.start)):
            if symbol >= len(info.tokens):
                raise ImageError(f"{name} is symbol {symbol} of {len(info.tokens)}")

    def _extents(self, entry: Entry) -> list[tuple[str, int, int]]:
        """What the host may write and read for an entry: name, address, bytes."""
        extents = [
            (tensor.name, tensor.address, tensor.n_bytes)
            for tensor in (*entry.inputs, *entry.outputs)
        ]
        if (loop := entry.loop) is not None and (info := self.header.transducer) is not None:
            (ring,) = entry.inputs
            words = loop.calls * info.frames_out * info.max_symbols_per_frame
            extents.append((ring.name, ring.address, loop.calls * ring.n_bytes))
            extents.append(("tokens", loop.tokens_address, 4 * words))
        return extents

    @property
    def n_commands(self) -> int:
        return len(self.program) // COMMAND_BYTES


def _check_shape(tensor: TensorInfo) -> None:
    """The bytes of a tensor hold it, and reals have integers. Raises ImageError."""
    if tensor.stored is not None and (tensor.dtype != "float32" or tensor.scale is None):
        raise ImageError(f"tensor {tensor.name!r}: only reals with a scale are stored as integers")
    if tensor.n_bytes < math.prod(tensor.shape) * np.dtype(tensor.memory_dtype).itemsize:
        raise ImageError(f"tensor {tensor.name!r}: its bytes do not hold its shape")


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
    if not isinstance(error, ValidationError):
        return f"damaged header: {type(error).__name__}"
    item = error.errors()[0]
    found = item["input"]
    if item["loc"] == ("format",) and type(found) is int and 0 < found < FORMAT:
        return f"an image of format {found}, this version reads {FORMAT}; compile the model again"
    return f"damaged header: {'.'.join(map(str, item['loc']))}: {item['msg']}"
