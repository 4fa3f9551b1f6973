"""Flipped bits of an image in external memory: which of them give wrong outputs without an error.

`python -m tests.fuzz.images -n 1000` prints a table. The image's file has a CRC-32 of each section,
which a host may check; this is about what flips behind that, in memory or on the bus.
"""

import argparse
from collections import Counter

import numpy as np

from compiler import compile_model, load_model
from npu import zoo
from npu.chip.isa import decode_program
from npu.chip.params import load_params
from npu.errors import NpuError
from npu.runtime.image import Image
from npu.runtime.sessions import GraphSession

CLASSES = ("told", "masked", "silent")
KINDS = ("tiles", "codes and records", "constants", "program")
CALLS = 2


def small_image() -> Image:
    """The zoo's decoder on `tiny`: two thirds of its bytes are tiles."""
    folder = zoo.path("commands_rnnt")
    return compile_model(load_model(str(folder / "decoder.tflite")), load_params("tiny"))


def kinds(image: Image) -> np.ndarray:
    """(bytes of memory and program,) int: the index in KINDS of what a byte is."""
    found = np.full(len(image.memory) + len(image.program), KINDS.index("constants"))
    found[len(image.memory) :] = KINDS.index("program")
    for cmd in decode_program(image.program):
        if cmd.opcode.name in ("LOAD_BANK", "LOAD_PARAM"):
            kind = "tiles" if cmd.opcode.name == "LOAD_BANK" else "codes and records"
            found[cmd.ext : cmd.ext + cmd.beats * image.params.bus_bytes] = KINDS.index(kind)
    return found


def answers(image: Image, inputs: list[list[np.ndarray]]) -> list[bytes] | None:
    """The outputs of every call, None where the chip stops."""
    try:
        session = GraphSession(image)
        return [b"".join(out.tobytes() for out in session.invoke(each)) for each in inputs]
    except NpuError:
        return None


def flips(image: Image, places: np.ndarray, seed: int) -> Counter[tuple[str, str]]:
    """How often which class came of a flip in what, of a bit of each byte of `places`."""
    rng = np.random.default_rng(seed)
    inputs = []
    for _ in range(CALLS):
        of_call = []
        for tensor in image.header.invoke.inputs:
            dtype = np.dtype(tensor.memory_dtype)
            least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
            if tensor.index_limit is not None:
                least, most = 0, tensor.index_limit - 1
            of_call.append(rng.integers(least, most, tensor.shape, dtype, endpoint=True))
        inputs.append(of_call)
    right, kind_of = answers(image, inputs), kinds(image)
    assert right is not None
    counts: Counter[tuple[str, str]] = Counter()
    for place in places.tolist():
        memory, program = image.memory.copy(), bytearray(image.program)
        bit = 1 << int(rng.integers(8))
        if place < len(memory):
            memory[place] ^= bit
        else:
            program[place - len(memory)] ^= bit
        found = answers(Image(image.header, bytes(program), memory), inputs)
        outcome = "told" if found is None else "masked" if found == right else "silent"
        counts[KINDS[kind_of[place]], outcome] += 1
    return counts


def lines(counts: Counter[tuple[str, str]]) -> list[str]:
    """A table."""
    text = [f"{'flips in':<18}" + "".join(f"{name:>8}" for name in CLASSES)]
    for kind in KINDS:
        text.append(f"{kind:<18}" + "".join(f"{counts[kind, name]:>8,}" for name in CLASSES))
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=1000, help="flips")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    image = small_image()
    size = len(image.memory) + len(image.program)
    places = np.random.default_rng(given.seed).integers(size, size=given.n)
    print("\n".join(lines(flips(image, places, given.seed))))


if __name__ == "__main__":
    main()
