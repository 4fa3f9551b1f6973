"""An image as a host without Python takes it: bytes for memory, words for a bench, macros for C.

The bytes are external memory from address 0 on: `constants` first, as the image has them; then, up
to `memory_bytes`, zeros where host and chip exchange tensors and the program keeps what is its own;
then, at the next bus word, the program, filled up to whole bus words.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from math import prod

import numpy as np

from npu.chip.isa import COMMAND_BYTES
from npu.chip.params import ChipParams
from npu.chip.weight_format import VERSION
from npu.errors import ImageError
from npu.runtime.header import Entry, Header, TensorInfo
from npu.runtime.host_interface import CALL_SHIFT, CALLS, TOKENS
from npu.runtime.image import Image
from npu.text import plain

MOST_NAME = 48
# Names that a C compiler would look up for itself, or that are the driver's.
_TAKEN = re.compile(
    r"(zeroskip.*|assert|complex|ctype|errno|fenv|float|inttypes|iso646|limits|locale|math|setjmp"
    r"|signal|std\w*|string|tgmath|time|uchar|wchar|wctype)",
    re.IGNORECASE,
)
C_TYPES = {"bool": "uint8_t", "float32": "float"}
"""Elements in C where that is not NumPy's name with a `_t` behind it."""


def raw_files(image: Image, cycles: Mapping[str, int] | None = None) -> dict[str, bytes]:
    """NAME.bin, NAME.hex and NAME.h, NAME being the model's as far as C takes it.

    cycles : that a start of an entry takes, by the entry's name, for NAME.h.

    Raises ImageError where the chip's memory does not hold the program behind the image.
    """
    name = identifier(image.header.model)
    content = raw_bytes(image)
    return {
        f"{name}.bin": content,
        f"{name}.hex": hex_words(content, image.params.bus_bytes),
        f"{name}.h": c_header(image, cycles).encode("ascii"),
    }


def program_address(image: Image) -> int:
    """Where the program lies in the raw image."""
    return image.params.align(image.header.memory_bytes)


def raw_bytes(image: Image) -> bytes:
    """External memory from address 0 to the program's end. Raises ImageError if it is too small."""
    params = image.params
    program = image.program.ljust(params.align(len(image.program)), b"\0")
    at = program_address(image)
    if at + len(program) > params.memory_bytes:
        raise ImageError(
            f"the program of {len(program):,} bytes does not fit behind the {at:,} bytes of "
            f"{image.header.model}: chip {params.name!r} has memory_bytes "
            f"{params.memory_bytes:,}; give it more"
        )
    return image.memory.tobytes().ljust(at, b"\0") + program


def hex_words(content: bytes, bus_bytes: int) -> bytes:
    """For Verilog's $readmemh: a bus word a line, its byte of the highest address first."""
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    words = np.frombuffer(content, np.uint8).reshape(-1, bus_bytes)[:, ::-1]
    lines = np.full((len(words), 2 * bus_bytes + 1), ord("\n"), np.uint8)
    lines[:, 0:-1:2], lines[:, 1:-1:2] = digits[words >> 4], digits[words & 15]
    return lines.tobytes()


def identifier(name: str) -> str:
    """What C and file systems take of a name: ASCII letters, digits and `_`, a letter first."""
    stem = name.removesuffix(".tflite")
    made = re.sub(r"[^A-Za-z0-9_]+", "_", stem).strip("_")[:MOST_NAME].rstrip("_")
    if not made or not made[0].isalpha() or _TAKEN.fullmatch(made):
        made = f"model_{made}".rstrip("_")
    return made


def c_header(image: Image, cycles: Mapping[str, int] | None = None) -> str:
    """Macros alone: sizes, entries, tensors, the transducer's loop; `cycles` as `raw_files` has."""
    header, params = image.header, image.params
    prefix = identifier(header.model).upper()
    at, size = program_address(image), params.align(len(image.program))
    lines = [
        f"/* {plain(header.model)} for a zeroskip {plain(params.name)}. Generated.",
        " *",
        " * Bytes of the raw image lie in external memory from the chip's address 0 on. Types are",
        " * those of <stdint.h>; a real number is SCALE * (element - ZERO_POINT). The places of a",
        " * ring lie SPACE bytes apart.",
        " */",
        f"#ifndef {prefix}_H",
        f"#define {prefix}_H",
        "",
        "/* What registers VERSION and PARAMETERS must read, and the bytes of a bus word. */",
        f"#define {prefix}_VERSION {VERSION}u",
        f"#define {prefix}_PARAMETERS {params.fingerprint:#010x}u",
        f"#define {prefix}_BUS_BYTES {params.bus_bytes}u",
        "",
        "/* The raw image; its constants, from address 0 on; these, and what host and chip",
        " * exchange; the program, and its commands. */",
        f"#define {prefix}_RAW_BYTES {at + size}u",
        f"#define {prefix}_CONSTANT_BYTES {len(image.memory)}u",
        f"#define {prefix}_MEMORY_BYTES {header.memory_bytes}u",
        f"#define {prefix}_PROGRAM_ADDRESS {at:#x}u",
        f"#define {prefix}_PROGRAM_BYTES {size}u",
        f"#define {prefix}_PROGRAM_COMMANDS {len(image.program) // COMMAND_BYTES}u",
    ]
    for name, entry in _named(header.entries):
        lines += ["", *_entry(f"{prefix}_{name}", entry, header)]
        if cycles and entry.name in cycles:
            lines += [
                f"/* Cycles of a call, with a memory that gives the first beat {_memory(params)}.",
                " * For a limit of time: take a multiple. */",
                f"#define {prefix}_{name}_CYCLES {cycles[entry.name]}u",
            ]
    return "\n".join([*lines, "", f"#endif /* {prefix}_H */", ""])


def _memory(params: ChipParams) -> str:
    latency, gap = params.memory_latency_cycles, params.memory_cycles_per_beat
    return f"after {latency} cycles and others {gap} apart"


def _named(entries: Iterable[Entry]) -> Iterator[tuple[str, Entry]]:
    """Entries with names for macros, each of them once."""
    taken: set[str] = set()
    for entry in entries:
        name = wanted = re.sub(r"[^A-Z0-9]+", "_", entry.name.upper())[:MOST_NAME].strip("_") or "X"
        number = 2
        while name in taken:
            name, number = f"{wanted}_{number}", number + 1
        taken.add(name)
        yield name, entry


def _entry(name: str, entry: Entry, header: Header) -> list[str]:
    lines = [
        f"/* Entry {plain(entry.name)}. */",
        f"#define {name}_PC {entry.pc}u",
        f"#define {name}_INPUTS {len(entry.inputs)}u",
        f"#define {name}_OUTPUTS {len(entry.outputs)}u",
    ]
    for way, tensors in (("INPUT", entry.inputs), ("OUTPUT", entry.outputs)):
        for index, tensor in enumerate(tensors):
            lines += _tensor(f"{name}_{way}{index}", tensor)
    if entry.loop is not None and (info := header.transducer) is not None:
        symbols = ", ".join(map(_quoted, info.tokens))
        lines += [
            "/* A start takes up to LOOP_CALLS calls, from the ring of INPUT0; their number goes",
            " * into scalar register CALLS_REGISTER. Behind it TOKENS_REGISTER has the number of",
            " * words of 32 bits, little endian, at TOKENS_ADDRESS: the symbol is below bit",
            " * CALL_SHIFT, above it the frames left behind the one that emitted it, of which a",
            " * call gives FRAMES_PER_CALL. */",
            f"#define {name}_LOOP_CALLS {entry.loop.calls}u",
            f"#define {name}_CALLS_REGISTER {CALLS}u",
            f"#define {name}_TOKENS_REGISTER {TOKENS}u",
            f"#define {name}_TOKENS_ADDRESS {entry.loop.tokens_address:#x}u",
            f"#define {name}_CALL_SHIFT {CALL_SHIFT}u",
            f"#define {name}_FRAMES_PER_CALL {info.frames_out}u",
            f"#define {name}_SYMBOLS_PER_CALL {info.frames_out * info.max_symbols_per_frame}u",
            f"#define {name}_SYMBOLS {len(info.tokens)}u",
            f"#define {name}_BLANK {info.blank}u",
            f"#define {name}_SYMBOL_NAMES {{{symbols}}}",
        ]
    return lines


def _tensor(name: str, tensor: TensorInfo) -> list[str]:
    dtype, elements = tensor.memory_dtype, prod(tensor.shape)
    lines = [
        f"/* {plain(tensor.name)} */",
        f"#define {name}_ADDRESS {tensor.address:#x}u",
        f"#define {name}_BYTES {elements * np.dtype(dtype).itemsize}u",
        f"#define {name}_SPACE {tensor.n_bytes}u",
        f"#define {name}_TYPE {C_TYPES.get(dtype, f'{dtype}_t')}",
        f"#define {name}_ELEMENTS {elements}u",
        f"#define {name}_RANK {len(tensor.shape)}u",
    ]
    if tensor.shape:
        lines.append(f"#define {name}_SHAPE {{{', '.join(f'{n}u' for n in tensor.shape)}}}")
    if tensor.scale is not None:
        lines.append(f"#define {name}_SCALE {tensor.scale!r}")
        lines.append(f"#define {name}_ZERO_POINT ({tensor.zero_point})")
    if tensor.index_limit is not None:
        lines.append(f"#define {name}_INDEX_LIMIT {tensor.index_limit}u")
    return lines


def _quoted(words: str) -> str:
    """A string of C, UTF-8; what is not plain as octal escapes of three digits."""
    plain = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _-'.,<>")
    coded = (chr(byte) if byte in plain else f"\\{byte:03o}" for byte in words.encode("utf-8"))
    return f'"{"".join(coded)}"'
