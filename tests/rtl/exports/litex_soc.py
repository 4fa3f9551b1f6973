"""A LiteX SoC with the exported chip: a RISC-V processor, its firmware, and a run in Verilator.

`python tests/rtl/exports/litex_soc.py EXPORT FOLDER BUS` makes in FOLDER, where the raw image
`joiner` and `calls.h` lie, the SoC's Verilog, its headers and a ROM with `litex_main.c`. A process
of its own: LiteX writes into the working folder.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
from litex.build.generic_platform import Pins, Subsignal
from litex.build.sim import SimPlatform
from litex.soc.cores import cpu
from litex.soc.integration import export as made
from litex.soc.integration.soc_core import SoCCore
from migen import ClockDomain, Module

HERE = Path(__file__).parent
CLOCK_HZ = 1_000_000
STREAM = ("valid", "ready", "data")
IO = [
    ("clock", 0, Pins(1)),
    ("reset", 0, Pins(1)),
    (
        "serial",
        0,
        *(
            Subsignal(f"{way}_{end}", Pins(8 if end == "data" else 1))
            for way in ("source", "sink")
            for end in STREAM
        ),
    ),
]
GCC = "riscv64-unknown-elf"
STRICT = ("-std=gnu99", "-Wall", "-Wextra", "-Werror", "-O2", "-ffreestanding", "-nostdlib")


class Clocks(Module):
    """Clock and reset from outside."""

    def __init__(self, platform) -> None:
        self.clock_domains.cd_sys = domain = ClockDomain("sys")
        self.comb += [
            domain.clk.eq(platform.request("clock")),
            domain.rst.eq(platform.request("reset")),
        ]


def soc_of(export: Path, raw: Path, bus: str) -> SoCCore:
    """A SoC with the chip, a raw image in memory, and a bus of a standard of LiteX."""
    spec = importlib.util.spec_from_file_location("zeroskip_litex", export / "zeroskip_litex.py")
    assert spec is not None and spec.loader is not None
    wrapper = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(wrapper)
    image = (raw / "joiner.bin").read_bytes()
    platform = SimPlatform("SIM", IO)
    soc = SoCCore(
        platform,
        CLOCK_HZ,
        bus_standard=bus,
        cpu_type="vexriscv",
        cpu_variant="standard",
        integrated_rom_size=1 << 14,
        integrated_sram_size=1 << 12,
        integrated_main_ram_size=1 << 14,
        integrated_main_ram_init=np.frombuffer(image, "<u4").tolist(),
        uart_name="sim",
        ident="",
    )
    soc.submodules.crg = Clocks(platform)
    wrapper.add_zeroskip(soc)
    return soc


def write_headers(soc: SoCCore, folder: Path) -> None:
    """What LiteX tells software of a SoC, in the folder `generated`."""
    generated = folder / "generated"
    generated.mkdir()
    texts = {
        "csr.h": made.get_csr_header(soc.csr_regions, soc.constants),
        "soc.h": made.get_soc_header(soc.constants),
        "mem.h": made.get_mem_header(soc.mem_regions),
        "regions.ld": made.get_linker_regions(soc.mem_regions),
        "output_format.ld": made.get_linker_output_format(soc.cpu),
    }
    for name, text in texts.items():
        (generated / name).write_text(text)


def firmware(soc: SoCCore, export: Path, folder: Path) -> list[int]:
    """Words of the ROM: the export's driver under `litex_main.c`, linked as LiteX links."""
    software = Path(made.__file__).parents[1] / "software"
    core = Path(cpu.__file__).parent / "vexriscv"
    include = (folder, export, core, software / "include")
    sources = (core / "crt0.S", HERE / "litex_main.c", export / "zeroskip.c")
    subprocess.run(
        [
            f"{GCC}-gcc",
            *soc.cpu.gcc_flags.split(),
            *STRICT,
            *(f"-I{path}" for path in include),
            *map(str, sources),
            f"-Wl,-T,{software / 'bios' / 'linker.ld'},-L,{folder}",
            "-lgcc",
            "-o",
            "firmware.elf",
        ],
        cwd=folder,
        check=True,
    )
    subprocess.run(
        [f"{GCC}-objcopy", "-O", "binary", "firmware.elf", "rom"], cwd=folder, check=True
    )
    content = (folder / "rom").read_bytes()
    return np.frombuffer(content.ljust(-(-len(content) // 4) * 4, b"\0"), "<u4").tolist()


def main(export: Path, folder: Path, bus: str) -> None:
    """Make `soc.v`, its memories' files and the list `sources.f` in `folder`."""
    soc = soc_of(export, folder, bus)
    soc.finalize()
    write_headers(soc, folder)
    soc.init_rom("rom", firmware(soc, export, folder), auto_size=False)
    verilog = soc.platform.get_verilog(soc, name="soc")
    verilog.write(str(folder / "soc.v"))
    (folder / "sources.f").write_text("\n".join(path for path, *_ in soc.platform.sources) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), sys.argv[3])
