"""What the exported bench runs: an image, inputs and the outputs that must come, as hex files.

Every line of a hex file is a bus word, the highest byte first, as `$readmemh` reads it.
"""

from dataclasses import dataclass

from npu.chip.params import ChipParams
from npu.errors import InputError
from npu.runtime import raw
from npu.runtime.header import BOOT, INVOKE, RESET, Entry, TensorInfo
from npu.runtime.image import Image
from npu.text import plain

# Folder of the bench in an export, and what it reads there.
FOLDER = "tb"
IMAGE, INPUT, EXPECTED, MASK, FACTS = (
    f"{FOLDER}/example.{end}" for end in ("hex", "in", "out", "mask", "vh")
)
# Of the line about it, which may have a file's name.
MOST_SOURCE = 200


@dataclass(frozen=True)
class Example:
    """A graph on a chip with calls whose answers are known.

    Attributes
    ----------
    image : compiled for the chip, kind `graph`.
    inputs, outputs : of every call the bytes of each tensor, in the order of the entry `invoke`.
    source : what they are, in a line.
    """

    image: Image
    inputs: tuple[tuple[bytes, ...], ...]
    outputs: tuple[tuple[bytes, ...], ...]
    source: str


def hex_words(data: bytes, params: ChipParams) -> str:
    """Bytes as lines of bus words, the last one filled with zeros."""
    padded = data.ljust(params.align(len(data)), b"\0")
    return raw.hex_words(padded, params.bus_bytes).decode("ascii")


def example_files(example: Example) -> dict[str, str]:
    """Texts by their paths in an export.

    Raises InputError where calls and tensors do not fit, or where tensors do not lie one behind
    the other.
    """
    image = example.image
    params, entry = image.params, image.header.entry(INVOKE)
    first_in, input_bytes = _extent(entry, entry.inputs, params)
    first_out, output_bytes = _extent(entry, entry.outputs, params)
    content = raw.raw_bytes(image)
    words = len(content) // params.bus_bytes
    values = {
        "IMAGE_WORDS": words,
        "MEMORY_WORDS": words,
        "PROGRAM_ADDRESS_VALUE": raw.program_address(image),
        "PROGRAM_COMMANDS_VALUE": image.n_commands,
        "BOOT": image.header.entry(BOOT).pc,
        "RESET": image.header.entry(RESET).pc,
        "ENTRY": entry.pc,
        "CALLS": len(example.inputs),
        "INPUT_ADDRESS": first_in,
        "INPUT_WORDS": input_bytes // params.bus_bytes,
        "OUTPUT_ADDRESS": first_out,
        "OUTPUT_WORDS": output_bytes // params.bus_bytes,
    }
    # Begun with a word of ours: "// verilator ..." is no comment, nor is "// synthesis ...".
    lines = [f"// Calls: {plain(example.source, MOST_SOURCE)}"]
    # What the last word of a tensor holds besides is nobody's.
    used = tuple(b"\xff" * len(value) for value in example.outputs[0])
    lines += [f"`define ZS_{name} {value}" for name, value in values.items()]
    return {
        IMAGE: hex_words(content, params),
        INPUT: "".join(_call(entry.inputs, call, params) for call in example.inputs),
        EXPECTED: "".join(_call(entry.outputs, call, params) for call in example.outputs),
        MASK: _call(entry.outputs, used, params),
        FACTS: "\n".join(lines) + "\n",
    }


def _extent(entry: Entry, tensors: tuple[TensorInfo, ...], params: ChipParams) -> tuple[int, int]:
    """Address and bytes of tensors that lie one behind the other in whole bus words."""
    at = tensors[0].address
    for tensor in tensors:
        if tensor.address != at or tensor.n_bytes % params.bus_bytes:
            raise InputError(
                f"entry {entry.name!r}: tensor {tensor.name!r} is at {tensor.address:#x}, the "
                f"bench wants it at {at:#x}"
            )
        at += tensor.n_bytes
    return tensors[0].address, at - tensors[0].address


def _call(tensors: tuple[TensorInfo, ...], values: tuple[bytes, ...], params: ChipParams) -> str:
    if len(values) != len(tensors) or any(
        len(value) > tensor.n_bytes for tensor, value in zip(tensors, values, strict=True)
    ):
        raise InputError(f"{len(values)} arrays do not fit {len(tensors)} tensors")
    joined = b"".join(
        value.ljust(tensor.n_bytes, b"\0") for tensor, value in zip(tensors, values, strict=True)
    )
    return hex_words(joined, params)
