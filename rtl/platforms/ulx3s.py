"""ULX3S with an ECP5-85F: `python -m rtl.platforms.ulx3s -o FOLDER` builds a bitstream.

The chip, external memory in block RAM and a host on the board's serial line (`rtl.platforms.uart`).
Needs the `rtl` and `synth` extras.
"""

import argparse
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from amaranth.build import Attrs, Clock, Pins, PinsN, Resource, Subsignal
from amaranth.hdl import Cat, ClockDomain, ClockSignal, Instance, Module, Signal
from amaranth.lib import io, wiring
from amaranth.lib.cdc import ResetSynchronizer
from amaranth.vendor import LatticePlatform

from npu.chip.params import ChipParams, load_params
from npu.errors import NpuError
from rtl.folders import claimed
from rtl.platforms.protocol import BAUD, MEMORY_BYTES
from rtl.platforms.system import SerialSystem

BOARD_MHZ = 25
# The phase comparator runs at REFERENCE_MHZ, the oscillator at 400 to 800 MHz.
REFERENCE_MHZ = 5
OSCILLATOR_MHZ = (400, 800)
INSTALL = "pip install 'zeroskip[rtl,synth]'"
USER_ERROR = 2
TOOLS = {"YOSYS": "yosys", "NEXTPNR_ECP5": "nextpnr-ecp5", "ECPPACK": "ecppack"}


class Ulx3sPlatform(LatticePlatform):
    """The parts of the board that the chip uses."""

    device = "LFE5U-85F"
    package = "BG381"
    speed = "6"
    default_clk = "clk25"
    resources = [  # noqa: RUF012 - Amaranth's platforms are described by class attributes
        Resource("clk25", 0, Pins("G2", dir="i"), Clock(25e6), Attrs(IO_TYPE="LVCMOS33")),
        Resource("reset", 0, PinsN("D6", dir="i"), Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP")),
        Resource(
            "led",
            0,
            Pins("B2 C2 C1 D2 D1 E2 E1 H3", dir="o"),
            Attrs(IO_TYPE="LVCMOS33", DRIVE="4"),
        ),
        Resource(
            "uart",
            0,
            Subsignal("rx", Pins("M1", dir="i")),
            Subsignal("tx", Pins("L4", dir="o")),
            Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP"),
        ),
    ]
    connectors: list = []  # noqa: RUF012 - as above


def output_divider(clock_mhz: int) -> int:
    """From the PLL's oscillator to a clock. Raises ValueError for one that it cannot make."""
    divider = -(-OSCILLATOR_MHZ[0] // max(clock_mhz, 1))
    if clock_mhz % REFERENCE_MHZ or divider > 128 or divider * clock_mhz > OSCILLATOR_MHZ[1]:
        raise ValueError(
            f"the clock must be a multiple of {REFERENCE_MHZ} MHz from 5 to "
            f"{OSCILLATOR_MHZ[1]}, not {clock_mhz!r}"
        )
    return divider


class Board(wiring.Component):
    """The chip on the board; see `rtl.platforms.uart` for what the host says.

    LEDs: running, error (interrupt), then the serial line both ways.

    Parameters
    ----------
    params : ChipParams.
    clock_mhz : the chip's clock, a multiple of REFERENCE_MHZ.
    """

    def __init__(self, params: ChipParams, clock_mhz: int) -> None:
        self._params = params
        self._clock_mhz = clock_mhz
        super().__init__({})

    def elaborate(self, platform) -> Module:
        m = Module()
        self._clock(m, platform)
        m.submodules.system = system = SerialSystem(
            self._params, round(self._clock_mhz * 1e6 / BAUD), MEMORY_BYTES
        )
        uart = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", uart.rx)
        m.submodules.tx = tx = io.Buffer("o", uart.tx)
        m.submodules.leds = leds = io.Buffer("o", platform.request("led", 0, dir="-"))
        m.d.comb += [
            system.receive.eq(rx.i),
            tx.o.eq(system.send),
            leds.o.eq(Cat(system.running, system.irq, ~rx.i, ~tx.o)),
        ]
        return m

    def _clock(self, m: Module, platform) -> None:
        """The chip's clock out of the board's; a reset until it is steady, and by the button."""
        m.submodules.clk25 = clk25 = io.Buffer("i", platform.request("clk25", 0, dir="-"))
        m.submodules.button = button = io.Buffer("i", platform.request("reset", 0, dir="-"))
        m.domains.sync = ClockDomain()
        divider = output_divider(self._clock_mhz)
        locked = Signal()
        m.submodules.pll = Instance(
            "EHXPLLL",
            i_CLKI=clk25.i,
            i_CLKFB=ClockSignal(),
            i_RST=0,
            i_STDBY=0,
            o_CLKOP=ClockSignal(),
            o_LOCK=locked,
            p_CLKI_DIV=BOARD_MHZ // REFERENCE_MHZ,
            p_CLKFB_DIV=self._clock_mhz // REFERENCE_MHZ,
            p_FEEDBK_PATH="CLKOP",
            p_CLKOP_ENABLE="ENABLED",
            p_CLKOP_DIV=divider,
            p_CLKOP_CPHASE=divider - 1,
            p_CLKOP_FPHASE=0,
            a_ICP_CURRENT="12",
            a_LPF_RESISTOR="8",
        )
        m.submodules.reset = ResetSynchronizer(~locked | button.i)


def require_tools() -> None:
    """Tell Amaranth of the tools that the extra `synth` has brought, where there are no others.

    Raises NpuError naming each that is missing, with the command that installs it.
    """
    scripts = Path(sysconfig.get_path("scripts"))
    missing = []
    for variable, tool in TOOLS.items():
        local = scripts / f"yowasp-{tool}"
        if variable not in os.environ and shutil.which(tool) is None and local.exists():
            os.environ[variable] = str(local)
        if shutil.which(os.environ.get(variable, tool)) is None:
            missing.append(os.environ.get(variable, tool))
    if missing:
        raise NpuError(f"a bitstream needs {', '.join(missing)}: install the extras with {INSTALL}")


def build(params: ChipParams, folder: Path, clock_mhz: int) -> Path:
    """Build the bitstream in `folder`; returns its path. Takes some minutes.

    Raises NpuError where a tool is missing or fails, or the folder cannot be written.
    """
    require_tools()
    with claimed(folder):
        try:
            Ulx3sPlatform().build(Board(params, clock_mhz), name="ulx3s", build_dir=str(folder))
        except OSError as error:
            raise NpuError(f"cannot write {folder}: {error.strerror or error}") from error
        except subprocess.CalledProcessError as error:
            raise NpuError(
                f"the tools failed; what they said is in {folder}, *.rpt, *.tim"
            ) from error
    return folder / "ulx3s.bit"


def main() -> None:
    """Build what the arguments ask for."""
    parser = argparse.ArgumentParser(prog="python -m rtl.platforms.ulx3s", description=__doc__)
    parser.add_argument("--chip", default="tiny", help="preset or TOML file (default: tiny)")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--clock", type=int, default=60, metavar="MHZ", help="default: 60")
    arguments = parser.parse_args()
    try:
        output_divider(arguments.clock)
    except ValueError as error:
        parser.error(str(error))
    try:
        path = build(load_params(arguments.chip), arguments.output, arguments.clock)
    except NpuError as error:
        sys.stderr.write(f"error: {error}\n")
        raise SystemExit(USER_ERROR) from error
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
