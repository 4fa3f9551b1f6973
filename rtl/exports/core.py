"""FuseSoC's core file (CAPI2) of an export, and the script that makes an IP of it for Vivado."""

from npu import __version__
from npu.chip.params import ChipParams
from rtl.exports.example import EXPECTED, FACTS, FOLDER, IMAGE, INPUT, MASK
from rtl.shared.options import PLAIN, Options

LINT = "lint"


def core_file(top: str, params: ChipParams, with_bench: bool) -> str:
    """Targets `default`, `lint`, `synth` (ECP5), `vivado`, and with the bench `sim`."""
    name = "".join(c if c.isalnum() else "_" for c in params.name)
    text = f"""CAPI=2:
name: zeroskip:npu:{top}_{name}:{__version__}
description: Sparse int8 neural edge processor, chip {name}
filesets:
  rtl:
    files: [{top}.v]
    file_type: verilogSource-2005
  waivers:
    files: [{top}.vlt]
    file_type: vlt
  constraints:
    files: [{top}.sdc]
    file_type: SDC
  vivado:
    files:
      - {top}.sdc: {{file_type: xdc}}
      - package_ip.tcl: {{file_type: user}}
"""
    if with_bench:
        text += _bench_sets(top)
    text += f"""targets:
  default:
    filesets: [rtl]
    toplevel: {top}
  {LINT}:
    default_tool: verilator
    filesets: [waivers, rtl]
    toplevel: {top}
    tools:
      verilator:
        mode: lint-only
        verilator_options: [-Wall]
  synth:
    default_tool: trellis
    filesets: [rtl]
    toplevel: {top}
    tools:
      trellis:
        # The chip is a part of a design, with more ports than a package has pins.
        nextpnr_options:
          [--85k, --package, CABGA381, --speed, '6', --freq, '{params.clock_mhz}', --out-of-context,
           --lpf-allow-unconstrained, --timing-allow-fail]
        yosys_synth_options: [-abc9]
  vivado:
    default_tool: vivado
    filesets: [rtl, vivado]
    toplevel: {top}
    tools:
      vivado:
        part: xc7a200tfbg484-1
        pnr: none
"""
    return text + (_SIM if with_bench else "")


def _bench_sets(top: str) -> str:
    texts = [
        f"      - {path}: {{file_type: user, copyto: {path}}}"
        for path in (IMAGE, INPUT, EXPECTED, MASK)
    ]
    return "\n".join(
        (
            "  bench:",
            "    files:",
            f"      - {FOLDER}/{top}_chip.vh: {{is_include_file: true}}",
            f"      - {FACTS}: {{is_include_file: true}}",
            f"      - {FOLDER}/{top}_memory.v",
            f"      - {FOLDER}/{top}_tb.v",
            *texts,
            "    file_type: systemVerilogSource",
            "",
        )
    )


_SIM = f"""  sim:
    default_tool: icarus
    filesets: [rtl, bench]
    toplevel: zeroskip_tb
    parameters: [folder]
    tools:
      icarus:
        iverilog_options: [-g2012]
      verilator:
        mode: binary
        verilator_options: [--timing, --timescale, 1ns/1ps]
parameters:
  folder:
    datatype: str
    default: {FOLDER}
    paramtype: plusarg
    description: where the bench reads its hex files
"""


def package_script(top: str, params: ChipParams, options: Options = PLAIN) -> str:
    """Tcl for `vivado -mode batch -source package_ip.tcl`: an IP in the folder `ip`."""
    reset, polarity = "rst", "ACTIVE_HIGH"
    if options.reset == "async_low":
        reset, polarity = "rst_n", "ACTIVE_LOW"
    clocks = ("clk", "aclk") if options.crossing else ("clk",)
    inferred = "\n".join(
        f"ipx::infer_bus_interface {clock} xilinx.com:signal:clock_rtl:1.0 $core"
        for clock in clocks
    )
    return f"""# Makes an IP of {top}.v in the folder ip: vivado -mode batch -source package_ip.tcl
set here [file dirname [file normalize [info script]]]
create_project -in_memory -part xc7a200tfbg484-1
read_verilog [file join $here {top}.v]
set_property top {top} [current_fileset]
ipx::package_project -root_dir [file join $here ip] -vendor zeroskip -library npu \\
  -taxonomy /UserIP -import_files -force
set core [ipx::current_core]
set_property name {top} $core
set_property version {__version__} $core
set_property display_name {{zeroskip, chip {params.name}}} $core
set_property description {{Sparse int8 neural edge processor}} $core
ipx::infer_bus_interface \\
  [lsearch -all -inline [get_property NAME [ipx::get_ports -of_objects $core]] m_axi_*] \\
  xilinx.com:interface:aximm_rtl:1.0 $core
ipx::infer_bus_interface \\
  [lsearch -all -inline [get_property NAME [ipx::get_ports -of_objects $core]] s_axil_*] \\
  xilinx.com:interface:aximm_rtl:1.0 $core
{inferred}
ipx::infer_bus_interface {reset} xilinx.com:signal:reset_rtl:1.0 $core
ipx::infer_bus_interface irq xilinx.com:signal:interrupt_rtl:1.0 $core
ipx::associate_bus_interfaces -busif m_axi -clock {clocks[-1]} $core
ipx::associate_bus_interfaces -busif s_axil -clock {clocks[-1]} $core
set polarity [ipx::add_bus_parameter POLARITY [ipx::get_bus_interfaces {reset} -of_objects $core]]
set_property value {polarity} $polarity
ipx::create_xgui_files $core
ipx::update_checksums $core
ipx::check_integrity $core
ipx::save_core $core
"""
