"""The export in a LiteX SoC: a RISC-V processor works the chip with the C driver, over LiteX's bus.

Nothing between processor and chip is ours but the wrapper: buses, adapters, memory, interrupt and
headers are LiteX's, the processor is VexRiscv. Expected are the answers of TensorFlow Lite Micro.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from npu.api.example import example_of
from npu.chip.params import load_params
from npu.runtime.raw import raw_files
from rtl.export import export
from rtl.exports.example import Example
from rtl.sim.verilate import BuildError, verilator_root

TIMEOUT_S = 600
HERE = Path(__file__).parent
WRAPPER = "zeroskip_litex.py"
GCC = "riscv64-unknown-elf-gcc"
MAKE = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_SLOW=-O0 OPT_GLOBAL=-O0"


def missing() -> str:
    """What of all that is needed is not installed, in words."""
    packages = [name for name in ("litex", "pythondata_cpu_vexriscv") if not found(name)]
    programs = [name for name in (GCC, "g++", "make") if shutil.which(name) is None]
    return ", ".join([*packages, *programs])


def found(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


pytestmark = [
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {missing()}"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def example() -> Example:
    return example_of(load_params("tiny").model_copy(update={"lanes": 2, "name": "small"}))


@pytest.fixture(scope="module")
def exported(example, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("litex") / "export"
    export(example.image.params, folder)
    return folder


def made(exported: Path, example: Example, folder: Path, bus: str) -> subprocess.CompletedProcess:
    """Make a SoC with the export in `folder`: Verilog, headers, firmware."""
    folder.mkdir()
    for name, data in raw_files(example.image).items():
        (folder / name).write_bytes(data)
    calls = ["{" + ",".join(map(str, b"".join(call))) + "}" for call in example.inputs]
    text = f"#define CALLS {len(calls)}u\n#define VALUES {{{','.join(calls)}}}\n"
    (folder / "calls.h").write_text(text)
    command = [sys.executable, str(HERE / "litex_soc.py"), str(exported), str(folder), bus]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )


def built(exported: Path, example: Example, folder: Path, bus: str) -> Path:
    """A SoC as a program that simulates it."""
    try:
        root = verilator_root()
    except BuildError as error:
        pytest.skip(str(error))
    done = made(exported, example, folder, bus)
    assert done.returncode == 0, done.stderr
    sources = (folder / "sources.f").read_text().split()
    # Warnings are of LiteX's text and the processor's; the export's own are looked for elsewhere.
    options = ["--binary", "--timing", "-j", "1", "-Wno-lint", "-Wno-style", "-Wno-fatal"]
    options += ["--x-assign", "0", "--x-initial", "0", "--output-split", "20000"]
    options += ["-CFLAGS", "-std=gnu++20", "-MAKEFLAGS", MAKE]
    subprocess.run(
        [
            str(root / "bin" / "verilator_bin"),
            *options,
            "--top-module",
            "litex_tb",
            "-o",
            "run",
            str(HERE / "litex_tb.sv"),
            "soc.v",
            *sources,
        ],
        cwd=folder,
        env={**os.environ, "VERILATOR_ROOT": str(root)},
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=TIMEOUT_S,
    )
    return folder


def simulated(folder: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["obj_dir/run"], cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )


def said(folder: Path) -> list[str]:
    """Lines that the firmware has sent."""
    done = simulated(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line[:2] not in ("", "- ")]


def answers(example: Example) -> list[str]:
    return [b"".join(call).hex() for call in example.outputs]


@pytest.fixture(scope="module")
def soc(exported, example, tmp_path_factory) -> Path:
    return built(exported, example, tmp_path_factory.mktemp("soc") / "wishbone", "wishbone")


def test_a_processor_in_litex_gets_what_tflm_answered(soc, example):
    *outputs, last = said(soc)
    assert outputs == answers(example)
    assert last.startswith("cycles ") and int(last.split()[1], 16) > 0


@pytest.mark.long
@pytest.mark.parametrize("bus", ["axi-lite", "axi"])
def test_on_every_bus_of_litex(exported, example, tmp_path, bus):
    assert said(built(exported, example, tmp_path / bus, bus))[:-1] == answers(example)


def spoilt(soc: Path, target: Path, word: int, value: int) -> Path:
    """A copy of a SoC with another word in the image."""
    shutil.copytree(soc, target)
    memory = target / "soc_main_ram.init"
    lines = memory.read_text().split()
    lines[word] = f"{value:08x}"
    memory.write_text("\n".join(lines) + "\n")
    return target


def test_a_damaged_program_is_told(soc, example, tmp_path):
    # Command 0 becomes one that there is not.
    first = int(define(soc, "PROGRAM_ADDRESS"), 16) // 4
    lines = said(spoilt(soc, tmp_path / "spoilt", first, 0xFFFFFFFF))
    assert lines == ["boot: result 1, error 1 at 0000"]


def test_a_damaged_weight_changes_an_answer(soc, example, tmp_path):
    *outputs, _ = said(spoilt(soc, tmp_path / "spoilt", 0x280 // 4, 0))
    assert outputs != answers(example)


def define(soc: Path, name: str) -> str:
    text = (soc / "joiner.h").read_text()
    return text.split(f"JOINER_{name} ")[1].split()[0].rstrip("u")


@pytest.mark.long
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ('"irq": self.ev.done.trigger', '"irq": Signal()'),
        ('signal = _signal(self.memory, name.removeprefix("m_axi_"))', "continue"),
    ],
)
def test_a_fault_of_the_wrapper_is_found(exported, example, tmp_path, right, wrong):
    faulty = tmp_path / "export"
    shutil.copytree(exported, faulty)
    text = (faulty / WRAPPER).read_text()
    assert text.count(right) == 1
    text = text.replace(right, wrong).replace("import ClockSignal", "import Signal, ClockSignal")
    (faulty / WRAPPER).write_text(text)
    done = simulated(built(faulty, example, tmp_path / "soc", "wishbone"))
    assert done.returncode != 0 and "nothing after" in done.stdout + done.stderr


def described(exported: Path, target: Path, change) -> Path:
    """A copy of an export with another description."""
    shutil.copytree(exported, target)
    path = target / "zeroskip.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return target


def wide(content: dict) -> None:
    for port in content["ports"]:
        if port["name"] in ("m_axi_wdata", "m_axi_rdata"):
            port["width"] = 256


def narrow(content: dict) -> None:
    for port in content["ports"]:
        if port["name"] in ("m_axi_wdata", "m_axi_rdata"):
            port["width"] = 16


def pinned(content: dict) -> None:
    content["ports"].append({"name": "bist_start", "direction": "in", "width": 1})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            wide,
            "bursts of 64 beats of 256 bits are 512 on the SoC's bus of 32, more than 256: give",
        ),
        (narrow, "the SoC's bus of 32 bits is wider than the chip's of 16"),
        (pinned, "zeroskip.v has an input 'bist_start' that zeroskip_litex.py does not drive"),
    ],
)
def test_what_litex_cannot_connect_is_refused(exported, example, tmp_path, change, message):
    done = made(described(exported, tmp_path / "e", change), example, tmp_path / "s", "wishbone")
    assert done.returncode != 0 and f"ValueError: {message}" in done.stderr
    assert not (tmp_path / "s" / "soc.v").exists()
