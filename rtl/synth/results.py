"""What place and route says, as records: utilisation, clock, critical path."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

# Yosys names a cell after a wire that it drives and what it is; only the wire is of interest.
_CELL_SUFFIX = re.compile(
    r"(_(TRELLIS_FF|TRELLIS_DPR16X4|CCU2C|LUT4|PFUMX|L6MUX21|MULT18X18D|DP16KD)(_.*)?|\$CCU2_.*)$"
)
_LUT_LINE = re.compile(r"Info:\s+(Total LUT4s|logic LUTs|carry LUTs|RAM LUTs|RAMW LUTs):\s+(\d+)/")


@dataclass(frozen=True)
class Utilisation:
    """What a design takes of a device, without the registers around it.

    Attributes
    ----------
    lut4 : all LUTs, those of the four kinds below together.
    logic_luts, carry_luts, ram_luts : LUTs by use; distributed RAM with its write logic.
    flip_flops, block_rams, multipliers : TRELLIS_FF, DP16KD, MULT18X18D.
    """

    lut4: int
    logic_luts: int
    carry_luts: int
    ram_luts: int
    flip_flops: int
    block_rams: int
    multipliers: int


@dataclass(frozen=True)
class Hop:
    """A wire of a path, and when the signal is at its end."""

    wire: str
    at_ns: float


@dataclass(frozen=True)
class CriticalPath:
    """The slowest path from register to register.

    Attributes
    ----------
    source, sink : wires of the registers (or memories, multipliers) at its ends.
    logic_ns, routing_ns : clock-to-output, logic and setup; wires.
    hops : wires in between; one for a carry chain, or for logic without names of its own.
    """

    source: str
    sink: str
    logic_ns: float
    routing_ns: float
    hops: tuple[Hop, ...]

    @property
    def total_ns(self) -> float:
        return round(self.logic_ns + self.routing_ns, 2)

    def to_dict(self) -> dict:
        """For JSON."""
        return {"total_ns": self.total_ns, **asdict(self)}


@dataclass(frozen=True)
class Result:
    """One unit on one device.

    Attributes
    ----------
    seed, utilisation, fmax_mhz, critical_path : of the place with the median clock.
    clocks_mhz : by seed as text, as in JSON, of every place.
    """

    unit: str
    device: str
    seed: int
    utilisation: Utilisation
    capacity: Utilisation
    fmax_mhz: float
    clocks_mhz: dict[str, float]
    critical_path: CriticalPath


def median(places: Sequence[Result]) -> Result:
    """The place with the median clock, the lower of two in the middle, knowing all clocks.

    Parameters
    ----------
    places : one of every seed, at least one.
    """
    by_clock = sorted(places, key=lambda place: place.fmax_mhz)
    clocks = {str(place.seed): place.fmax_mhz for place in places}
    return replace(by_clock[(len(by_clock) - 1) // 2], clocks_mhz=clocks)


def parse(
    unit: str, device: str, seed: int, log: str, report: dict, wrapper_bits: int, wrapped: str
) -> Result:
    """Read nextpnr's log and its JSON report.

    Parameters
    ----------
    log, report : what nextpnr wrote with --log and --report.
    wrapper_bits : flip-flops around the unit, not to be counted.
    wrapped : instance name of the unit; left out of wire names.

    Raises
    ------
    ValueError : a part is missing.
    """
    luts = {name: int(count) for name, count in _LUT_LINE.findall(log)}
    if len(luts) != 5:
        raise ValueError("nextpnr's log does not tell the LUTs by their use")
    cells = report["utilization"]
    utilisation = Utilisation(
        lut4=luts["Total LUT4s"],
        logic_luts=luts["logic LUTs"],
        carry_luts=luts["carry LUTs"],
        ram_luts=luts["RAM LUTs"] + luts["RAMW LUTs"],
        flip_flops=cells["TRELLIS_FF"]["used"] - wrapper_bits,
        block_rams=cells["DP16KD"]["used"],
        multipliers=cells["MULT18X18D"]["used"],
    )
    available = cells["TRELLIS_COMB"]["available"]
    capacity = Utilisation(
        lut4=available,
        logic_luts=available,
        carry_luts=available,
        ram_luts=available,
        flip_flops=cells["TRELLIS_FF"]["available"],
        block_rams=cells["DP16KD"]["available"],
        multipliers=cells["MULT18X18D"]["available"],
    )
    paths = [
        path
        for path in report["critical_paths"]
        if path["from"].startswith("posedge") and path["to"].startswith("posedge")
    ]
    if len(report["fmax"]) != 1 or len(paths) != 1:
        raise ValueError(f"one clock expected, not {sorted(report['fmax'])}")
    (clock,) = report["fmax"].values()
    fmax_mhz = round(clock["achieved"], 2)
    return Result(
        unit=unit,
        device=device,
        seed=seed,
        utilisation=utilisation,
        capacity=capacity,
        fmax_mhz=fmax_mhz,
        clocks_mhz={str(seed): fmax_mhz},
        critical_path=_critical_path(paths[0]["path"], wrapped),
    )


def _critical_path(segments: list[dict], wrapped: str) -> CriticalPath:
    def wire(name: str) -> str:
        return _CELL_SUFFIX.sub("", name).removeprefix(f"{wrapped}.")

    logic = sum(s["delay"] for s in segments if s["type"] != "routing")
    routing = sum(s["delay"] for s in segments if s["type"] == "routing")
    hops: list[Hop] = []
    at = 0.0
    for segment in segments:
        at += segment["delay"]
        if segment["type"] == "routing" and (not hops or wire(segment["net"]) != hops[-1].wire):
            hops.append(Hop(wire(segment["net"]), round(at, 2)))
    return CriticalPath(
        source=wire(segments[0]["from"]["cell"]),
        sink=wire(segments[-1]["to"]["cell"]),
        logic_ns=round(logic, 2),
        routing_ns=round(routing, 2),
        hops=tuple(hops),
    )
