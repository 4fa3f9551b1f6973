"""zeroskip in a LiteX SoC: an example to copy, or to import from where the export lies.

    from zeroskip_litex import add_zeroskip

    add_zeroskip(soc)                    # before the SoC is finalised

Registers become region `zeroskip` of the SoC's memory map (ZEROSKIP_BASE in generated/mem.h), the
port for memory a master of the SoC's bus, by LiteX's own adapters where that is Wishbone, AXI-Lite
or of another width, and the interrupt event `done` of module `zeroskip` (ZEROSKIP_INTERRUPT in
generated/soc.h; zeroskip_ev_enable_write(1) lets it through). Ports and sizes are read from
zeroskip.json, which the export has written beside zeroskip.v.

What LiteX 2024.12 does not do: its bridge from AXI to Wishbone and AXI-Lite answers OKAY whatever
the bus says, so that a wrong address is not told as error BUS there; and its converters of width
take no bursts that do not fit them, which is refused here.
"""

import json
from pathlib import Path

try:
    from litex.gen import LiteXModule
    from litex.soc.integration.soc import SoCRegion
    from litex.soc.interconnect import axi
    from litex.soc.interconnect.csr_eventmanager import EventManager, EventSourceLevel
    from migen import ClockSignal, Instance, ResetSignal
except ModuleNotFoundError as error:
    raise ImportError(
        f"zeroskip_litex needs LiteX, and there is no module {error.name!r}: pip install litex"
    ) from error

TOP = "zeroskip"
DESCRIPTION = f"{TOP}.json"
# Beats of an AXI4 burst: LiteX counts them in 8 bits, and lets more of them overflow.
MOST_BEATS = 256


class Zeroskip(LiteXModule):
    """The exported chip with LiteX's interfaces, in clock domain `sys`.

    Parameters
    ----------
    platform : its sources get the exported Verilog.
    folder : the export; where this file lies, unless said otherwise.

    Attributes
    ----------
    memory : AXIInterface, manager; `bus_bytes` wide.
    registers : AXILiteInterface, subordinate, 32 bits wide.
    register_bytes : what the registers take of a memory map.
    burst_beats : beats of the longest burst.
    ev : EventManager; `ev.done` is the chip's interrupt, a level.

    Raises ValueError for an input port of the export that nobody here drives.
    """

    def __init__(self, platform, folder: Path | str | None = None) -> None:
        folder = Path(__file__).parent if folder is None else Path(folder)
        chip = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        ports = {port["name"]: port for port in chip["ports"]}
        self.memory = axi.AXIInterface(
            data_width=ports["m_axi_wdata"]["width"],
            address_width=ports["m_axi_awaddr"]["width"],
            id_width=ports["m_axi_awid"]["width"],
            bursting=True,
        )
        # LiteX's bridges want addresses of the whole bus; the chip takes the low bits.
        self.registers = axi.AXILiteInterface(data_width=32, address_width=32)
        self.register_bytes = 1 << ports["s_axil_awaddr"]["width"]
        self.burst_beats = chip["parameters"]["dma_burst_beats"]
        self.ev = EventManager()
        self.ev.done = EventSourceLevel(description="A program or a load has ended.")
        self.ev.finalize()
        self.specials += Instance(chip["top"], **self._wires(ports))
        platform.add_source(str(folder / f"{TOP}.v"))

    def _wires(self, ports: dict[str, dict]) -> dict:
        """What each port is connected to, as `Instance` takes it; outputs for benches stay open."""
        known = {"clk": ClockSignal("sys"), "rst": ResetSignal("sys"), "irq": self.ev.done.trigger}
        wires = {}
        for name, port in ports.items():
            if name in known:
                signal = known[name]
            elif name.startswith("m_axi_"):
                signal = _signal(self.memory, name.removeprefix("m_axi_"))
            elif name.startswith("s_axil_"):
                signal = _signal(self.registers, name.removeprefix("s_axil_"))
            elif port["direction"] == "out":
                continue
            else:
                raise ValueError(
                    f"{TOP}.v has an input {name!r} that {Path(__file__).name} does not drive: "
                    "connect it there, or export the chip without the option that makes it"
                )
            way = "i" if port["direction"] == "in" else "o"
            wires[f"{way}_{name}"] = signal[: port["width"]]
        return wires


def _signal(bus, name: str):
    """Signal of an AXI interface: `awaddr` is `aw.addr`, `wlast` is `w.last`."""
    channel = name[:2] if name[:2] in ("aw", "ar") else name[:1]
    return getattr(getattr(bus, channel), name.removeprefix(channel))


def add_zeroskip(
    soc, name: str = TOP, folder: Path | str | None = None, origin: int | None = None
) -> Zeroskip:
    """Put the chip into a SoC: registers, port for memory, interrupt.

    Parameters
    ----------
    soc : a LiteX SoC that is not finalised.
    name : of the module, of the region and of the master.
    folder : the export; where this file lies, unless said otherwise.
    origin : where the registers lie, in a region of input and output; a free place otherwise.

    Raises ValueError where LiteX's converter between the widths of chip and bus would break bursts.
    """
    chip = Zeroskip(soc.platform, folder)
    _require_fitting(chip, soc.bus.data_width)
    soc.add_module(name=name, module=chip)
    region = SoCRegion(origin=origin, size=chip.register_bytes, cached=False)
    soc.bus.add_slave(name, chip.registers, region)
    soc.bus.add_master(name, chip.memory)
    if soc.irq.enabled:
        soc.irq.add(name, use_loc_if_exists=True)
    return chip


def _require_fitting(chip: Zeroskip, bus_bits: int) -> None:
    chip_bits = chip.memory.data_width
    if bus_bits > chip_bits:
        raise ValueError(
            f"the SoC's bus of {bus_bits} bits is wider than the chip's of {chip_bits}: LiteX "
            "joins beats without regard to where a burst begins; give the chip bus_bytes = "
            f"{bus_bits // 8}"
        )
    beats = chip.burst_beats * chip_bits // bus_bits
    if beats > MOST_BEATS:
        raise ValueError(
            f"bursts of {chip.burst_beats} beats of {chip_bits} bits are {beats} on the SoC's "
            f"bus of {bus_bits}, more than {MOST_BEATS}: give the SoC a bus_data_width of "
            f"{bus_bits * beats // MOST_BEATS}, or the chip dma_burst_beats = "
            f"{MOST_BEATS * bus_bits // chip_bits}"
        )
