"""Flipped bits in the memories of a chip at work, with parity and without: `reports/flips.json`.

`python -m reports.flips -n 10000` takes some minutes. What the classes are: `rtl.sim.faults`. Exit
status 1 where a flip of the chip with parity is silent.
"""

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np

from compiler import compile_model, load_model
from npu import zoo
from npu.chip.params import load_params
from npu.files import write_atomic
from npu.runtime.image import Image
from npu.runtime.sessions import Session
from npu.text import json_text
from rtl.shared.options import Options, Protection
from rtl.sim.faults import CLASSES, SILENT, FlippingMachine, Flips, FlipsReport

ZOO = Path(zoo.__path__[0])
TARGET = Path(__file__).with_name("flips.json")
MODEL, CHIP, ENTRY = "commands_rnnt/decoder.tflite", "tiny", "invoke"
PROTECTIONS: tuple[Protection, ...] = ("parity", "none")


def flips_of(
    image: Image, entry: str, protection: Protection, flips: int, seed: int
) -> FlipsReport:
    """What becomes of flips while a graph of an image is called on random inputs."""
    machine = partial(FlippingMachine, options=Options(protection=protection), inject=True)
    session = Session(image, machine=machine)
    rng = np.random.default_rng(seed)
    header = image.header.entry(entry)
    inputs = []
    for tensor in header.inputs:
        dtype = np.dtype(tensor.memory_dtype)
        least, most = np.iinfo(dtype).min, np.iinfo(dtype).max
        if tensor.index_limit is not None:
            least, most = 0, tensor.index_limit - 1
        inputs.append(rng.integers(least, most, tensor.shape, dtype, endpoint=True))
    session.start(entry, inputs)
    return Flips(cast(FlippingMachine, session.machine), header.pc).report(flips, seed)


def report(flips: int, seed: int) -> dict[str, Any]:
    """Of the chip with parity, and of the plain one."""
    params = load_params(CHIP)
    image = compile_model(load_model(str(ZOO / MODEL)), params)
    return {
        "model": MODEL,
        "chip": CHIP,
        "entry": ENTRY,
        "protections": {
            protection: flips_of(image, ENTRY, protection, flips, seed)
            for protection in PROTECTIONS
        },
    }


def lines(made: dict[str, Any]) -> list[str]:
    """The report for a terminal."""
    text = [f"{made['model']} on {made['chip']}: single flips in block RAM"]
    text.append("memories     " + "".join(f"{name:>10}" for name in ("flips", *CLASSES)))
    for protection, found in made["protections"].items():
        rows = {protection: found["classes"]} | {f"  {k}": v for k, v in found["memories"].items()}
        for name, classes in rows.items():
            numbers = (sum(classes.values()), *classes.values())
            text.append(f"{name:<13}" + "".join(f"{number:>10,}" for number in numbers))
    return text


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-n", type=int, default=10_000, help="flips of each chip")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", type=Path, default=TARGET, help="the JSON to write")
    given = parser.parse_args()
    made = report(given.n, given.seed)
    write_atomic(given.o, json_text(made).encode())
    print("\n".join(lines(made)))
    return int(made["protections"]["parity"]["classes"][SILENT] != 0)


if __name__ == "__main__":
    sys.exit(main())
