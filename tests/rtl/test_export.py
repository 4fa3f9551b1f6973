"""The exported Verilog, its description and the files around it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from npu import __version__
from npu.chip import isa, timing
from npu.chip.params import ChipParams, load_params
from npu.chip.status import Status
from rtl.control.registers import BY_NAME
from rtl.export import GROUPS, TOP, export, to_verilog

ROOT = Path(__file__).parent.parent.parent


def small() -> ChipParams:
    return load_params("tiny").model_copy(update={"lanes": 2, "name": "small"})


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("export") / "made"
    files = export(small(), folder)
    assert sorted(path.name for path in files) == sorted(path.name for path in folder.iterdir())
    return folder


def test_the_text_does_not_depend_on_the_process(exported, tmp_path):
    script = (
        "from pathlib import Path; import sys; from rtl.export import export;"
        "from npu.chip.params import load_params;"
        "p = load_params('tiny').model_copy(update={'lanes': 2, 'name': 'small'});"
        "export(p, Path(sys.argv[1]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], env=environment, check=True)
    for path in exported.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_the_module_has_the_ports_that_axi_tools_look_for(exported):
    text = (exported / f"{TOP}.v").read_text()
    header = text.partition(f"module {TOP} (\n")[2].partition(");")[0]
    ports = set(
        re.findall(r"^  (?:input|output wire) (?:\[\d+:0\] )?(\w+),?$", header, re.MULTILINE)
    )
    for channel, signals in {
        "m_axi_aw": ("id", "addr", "len", "size", "burst", "cache", "prot", "valid", "ready"),
        "m_axi_w": ("data", "strb", "last", "valid", "ready"),
        "m_axi_b": ("id", "resp", "valid", "ready"),
        "m_axi_r": ("id", "data", "resp", "last", "valid", "ready"),
        "s_axil_aw": ("addr", "prot", "valid", "ready"),
        "s_axil_w": ("data", "strb", "valid", "ready"),
        "s_axil_r": ("data", "resp", "valid", "ready"),
    }.items():
        assert {channel + signal for signal in signals} <= ports
    assert {"clk", "rst", "irq", "debug_retire", "debug_pc"} <= ports


def test_what_is_there_twice_is_written_once(exported):
    text = (exported / f"{TOP}.v").read_text()
    modules = [line.split()[1] for line in text.splitlines() if line.startswith("module ")]
    assert len(set(modules)) == len(modules)
    assert [name for name in modules if name.endswith("lane")] == [f"{TOP}_matvec_lane"]
    assert text.count(f" {TOP}_matvec_lane lane_") == small().lanes


def test_the_description_says_what_the_sources_say(exported):
    description = json.loads((exported / f"{TOP}.json").read_text())
    assert description["parameters"] == small().model_dump(mode="json")
    assert description["fingerprint"] == small().fingerprint
    assert description["fingerprint_hex"] == f"{small().fingerprint:#010x}"
    resets = {register["name"]: register["reset"] for register in description["registers"]}
    assert resets["PARAMETERS"] == small().fingerprint
    for register in description["registers"]:
        assert BY_NAME[register["name"]].offset == register["offset"]
    assert len(description["registers"]) == len(BY_NAME)
    assert description["status"]["STREAM"] == Status.STREAM
    assert description["commands"]["MATVEC"]["code"] == isa.OPCODES["MATVEC"].code
    assert description["latencies"]["REQUANTISE"] == timing.REQUANTISE


def test_the_files_name_the_source(exported):
    assert (exported / f"{TOP}.f").read_text() == f"{TOP}.v\n"
    core = (exported / f"{TOP}.core").read_text()
    assert core.startswith("CAPI=2:\n") and f"[{TOP}.v]\n" in core and f"[{TOP}.vlt]\n" in core


def test_the_views_are_of_this_chip(exported):
    value = f"{small().fingerprint:x}"
    for name, text in {
        "zeroskip_regs.h": f"#define ZEROSKIP_PARAMETERS_RESET_VALUE 0x{value}u\n",
        "zeroskip.rdl": f"value[31:0] = 32'h{value};\n        }} PARAMETERS @ 0x30;".replace(
            "\n        }", "\n    }"
        ),
        "registers.md": f"| 0x30 | `PARAMETERS` | ro | 0x{value} |",
        "zeroskip.xml": f"<ipxact:value>'h{value}</ipxact:value>",
    }.items():
        if (exported / name).exists():
            assert text in (exported / name).read_text(), name
    assert (exported / "zeroskip.rdl").exists() and (exported / "zeroskip_regs.h").exists()


def test_without_litex_its_module_says_what_is_missing(exported):
    code = (
        "import sys; sys.modules['litex'] = None\n"
        "try:\n    import zeroskip_litex\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=exported, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("zeroskip_litex needs LiteX, ")
    assert done.stdout.endswith(": pip install litex\n")


def test_the_header_says_what_the_chip_is(exported):
    text = (exported / f"{TOP}.v").read_text()
    head = text.partition("\nmodule ")[0]
    assert f"{TOP} {__version__}, " in head and "SPDX-License-Identifier: Apache-2.0" in head
    for name, value in small():
        if isinstance(value, int | float):
            assert re.search(rf"^//   {name} = {re.escape(str(value))}\b", head, re.MULTILINE), name
    groups = re.findall(r"^  // (.*)$", text.partition(f"module {TOP} (")[2], re.MULTILINE)
    assert groups == list(GROUPS.values())


def test_the_same_hardware_has_the_same_text():
    """The fingerprint of a chip stands for its RTL: what else there is of a chip is not in it."""
    others = {
        "name": "other",
        "memory_bytes": 2**20,
        "memory_latency_cycles": 7,
        "memory_cycles_per_beat": 3,
        "clock_mhz": 5.0,
    }
    chip = small()
    other = chip.model_copy(update=others)
    assert to_verilog(other, anonymous=True) == to_verilog(chip, anonymous=True)
    assert to_verilog(other) != to_verilog(chip)
    assert f"Register PARAMETERS reads\n// {chip.fingerprint:#010x}:" in to_verilog(chip)


def test_every_module_is_introduced(exported):
    text = (exported / f"{TOP}.v").read_text()
    assert max(map(len, text.splitlines())) <= 100
    for name in re.findall(r"^module (\w+) \($", text, re.MULTILINE):
        before, _, module = text.partition(f"\nmodule {name} (\n")
        about = before.rpartition("\nendmodule\n")[2]
        assert f"// {name}\n" in about
        declared = re.findall(
            r"^  (in|out)put (?:wire |reg )?(?:(\[\d+:\d+\]) )?(\w+),?$",
            module.partition("\n);\n")[0],
            re.MULTILINE,
        )
        told = re.findall(r"^//   (in|out) +(?:(\[\d+:\d+\]) +)?(\w+)", about, re.MULTILINE)
        assert name == TOP or (told and told == declared), name
    purpose = (
        "//   A barrel of threads rows, one nonzero per cycle: the behaviour of npu.chip.lanes."
    )
    assert purpose in text and "(rtl.lane.lane.Lane)" in text
    assert re.search(r"^//   in  +ready +the FIFO has room for all rows", text, re.MULTILINE)
