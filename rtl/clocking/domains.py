"""The clock domains of the exported chip, and how its one reset comes to them."""

from amaranth.hdl import ClockDomain, Module, Signal, Value
from amaranth.lib.cdc import AsyncFFSynchronizer, ResetSynchronizer
from amaranth.lib.wiring import In

from rtl.shared.options import Options

CORE, BUS = "sync", "bus"
# How many edges of one clock the reset goes on for the sake of the other, see `_two_clocks`.
HELD = 8

_ASYNC = "asynchronous, active high, released by clk"
_SYNC = "synchronous, active high"


def clock_ports(options: Options) -> dict[str, str]:
    """Clocks and reset of the top module, and what they are."""
    ports = {"clk": "Clock, rising edge: the only one"}
    if options.crossing:
        ports = {
            "clk": "Clock of the chip, rising edge: all but the buses and irq",
            "aclk": "Clock of both AXI buses and of irq, rising edge; any ratio and phase to clk",
        }
    if options.reset == "async_low":
        ports["rst_n"] = "Reset, asynchronous, active low; its release is synchronised inside"
    elif options.crossing:
        ports["rst"] = "Reset, active high, of any clock: it is synchronised to both"
    else:
        ports["rst"] = "Reset, synchronous, active high"
    return ports


def signals(options: Options) -> dict[str, str]:
    """What clocks and resets are called inside, and what they are."""
    reset = _ASYNC if options.reset == "async_low" else _SYNC
    if not options.crossing:
        return {"clk": "clock, rising edge", "rst": f"reset, {reset}"}
    return {
        "clk": "clock of the chip, rising edge",
        "core_rst": f"reset of the chip, {reset}",
        "aclk": "clock of the buses, rising edge",
        "bus_rst": f"reset of the buses' side, {reset}".replace("by clk", "by aclk"),
        # Of a synchroniser from one clock to the other.
        "async_ff_clk": "clock, rising edge",
        "async_ff_rst": "what is synchronised, asynchronous, active high",
    }


def members(options: Options) -> dict[str, object]:
    """The ports of `clock_ports` as members of a component."""
    return {name: In(1) for name in clock_ports(options)}


def add_domains(m: Module, options: Options, ports: dict[str, Value]) -> None:
    """Make the clock domains from the ports of `clock_ports`.

    The reset goes on at once, without a clock where it is asynchronous, and off by edges of the
    clock of its domain.
    """
    is_low = options.reset == "async_low"
    core = ClockDomain(CORE, async_reset=is_low, local=True)
    core.clk = ports["clk"]
    reset = Signal(name="reset")
    m.d.comb += reset.eq(~ports["rst_n"] if is_low else ports["rst"])
    m.domains += core
    if not options.crossing:
        m.submodules.reset = ResetSynchronizer(reset, domain=CORE)
        return
    core.rst = Signal(name="core_rst")
    bus = ClockDomain(BUS, async_reset=is_low, local=True)
    bus.clk = ports["aclk"]
    m.domains += bus
    _two_clocks(m, reset, core, bus)


def _two_clocks(m: Module, reset: Signal, core: ClockDomain, bus: ClockDomain) -> None:
    """The resets of both domains, one behind the other.

    Both come at once and go on for HELD edges of the buses' clock, then HELD of the chip's, then
    two of the buses': whatever the clocks' ratio, and however short the reset was. A FIFO needs
    that. In reset its write side clears its pointer; three edges of the other clock later its read
    side has taken it over, and two edges of its own clock later the write side knows. Were either
    side back earlier, it would see words that are not there, or room that there is not.
    """
    held = Signal(name="reset_held")
    m.submodules.reset_held = AsyncFFSynchronizer(reset, held, o_domain=BUS, stages=HELD)
    m.submodules.reset_core = ResetSynchronizer(held, domain=CORE, stages=HELD)
    m.submodules.reset_bus = ResetSynchronizer(core.rst, domain=BUS)
