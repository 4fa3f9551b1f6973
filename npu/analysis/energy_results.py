"""The schemas of `npu bench energy` and of the energy of a frame, key by key."""

from typing import TypedDict

from npu.chip.summary import ChipSummary


class AreaReport(TypedDict):
    """Silicon of a chip, as `npu.chip.technology.Area` has it; `basis` is "estimated"."""

    basis: str
    memories_mm2: dict[str, float]
    gates: float
    logic_mm2: float
    total_mm2: float
    access_ns: float


class ChipEnergy(ChipSummary):
    """What a chip's events cost and what it draws: all estimates.

    Attributes
    ----------
    node_nm, voltage, external, idle_state : its technology.
    event_pj : by event, as `npu.chip.technology.EventCosts` has them.
    memory_leakage_uw, logic_leakage_uw, idle_uw, wake_uj : as `npu.chip.technology.PowerStates`.
    """

    node_nm: int
    voltage: float
    external: str
    idle_state: str
    event_pj: dict[str, float]
    memory_leakage_uw: float
    logic_leakage_uw: float
    idle_uw: dict[str, float]
    wake_uj: dict[str, float]
    area: AreaReport


class ModelEnergy(TypedDict):
    """A call of a model on a chip, on inputs of zeros.

    Attributes
    ----------
    sources : its files with their SHA-256.
    energy_uj : by cause, and its "total", of a chip that is busy and then off.
    period_ms, always_on_uw : from one call to the next, of a model of sound, and the mean power of
        a chip that waits between them; else None.
    """

    model: str
    sources: dict[str, str]
    chip: str
    cycles: int
    ms: float
    energy_uj: dict[str, float]
    period_ms: float | None
    always_on_uw: float | None


class ComparisonReport(TypedDict):
    """A published figure and ours beside it; see `npu.analysis.published.Published`.

    Attributes
    ----------
    ours, ratio : by chip, ours at `node_nm` and `voltage` with its own clock, and ours over theirs;
        empty where nothing of ours was run or is comparable, as `why` says.
    """

    name: str
    task: str
    model: str
    same: bool
    unit: str
    published: float
    node_nm: int
    voltage: float
    clock_mhz: float | None
    ours: dict[str, float]
    ratio: dict[str, float]
    why: str
    conditions: str
    source: str


class EnergyReport(TypedDict):
    """`npu bench energy`; `refused` says why models do not run on chips."""

    chips: list[ChipEnergy]
    models: list[ModelEnergy]
    refused: list[str]
    comparisons: list[ComparisonReport]


class FrameEnergy(TypedDict):
    """The energy of a frame, a call of a graph or an encoder call with its symbols; an estimate.

    Attributes
    ----------
    decided : what decided where data would, in words.
    energy_uj : by cause (`npu.analysis.energy.CAUSES`), and its "total", while the chip works.
    period_ms : from one frame to the next, of a model that hears; else None.
    listening_uw : mean power of a chip that hears all the time and waits between frames; else None.
    """

    decided: str
    energy_uj: dict[str, float]
    period_ms: float | None
    listening_uw: float | None
