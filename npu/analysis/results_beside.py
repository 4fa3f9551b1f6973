"""The schemas of reports that are not of one run: commands, installations, chips compared.

As `npu.analysis.results`, which holds those of runs.
"""

from typing import Any, NotRequired, TypedDict

from npu.chip.summary import ChipSummary


# --- what commands take ---------------------------------------------------------------------------
class ProcessReport(TypedDict):
    """A process: seconds on the clock, seconds of processors, and the most memory at a time."""

    seconds: float
    cpu_seconds: float
    peak_memory_mib: float


class PageBars(TypedDict):
    """The most that `npu bench report` may find."""

    seconds: float
    peak_memory_mib: float


class PageReport(TypedDict):
    """`npu bench report`: the page of a large transducer and a sound, by a process.

    Attributes
    ----------
    parameters, zeros : of its weights, how many and the share of zeros.
    audio_seconds : of the sound. cores : of processors, that the process may use.
    page_bytes : of the page. met : whether both bars hold.
    """

    chip: ChipSummary
    parameters: int
    zeros: float
    audio_seconds: float
    cores: int
    process: ProcessReport
    page_bytes: int
    bars: PageBars
    met: bool


class StartupReport(TypedDict):
    """`npu bench startup`: `npu compile` of a model by a process, with nothing kept and after it.

    Attributes
    ----------
    help_seconds : of `npu --help`, the median.
    functions, cache_bytes : machine code that the first process has kept.
    """

    model: str
    chip: str
    help_seconds: float
    first: ProcessReport
    next: ProcessReport
    functions: int
    cache_bytes: int


# --- what is installed ----------------------------------------------------------------------------
class PieceReport(TypedDict):
    """An extra, a program or a cache.

    Attributes
    ----------
    kind : "extra", "program" or "cache".
    found : whether all of it is there; `what` says which versions, or what of it is missing.
    enables, get : what it is for, and how to get it.
    """

    name: str
    kind: str
    found: bool
    what: str
    enables: str
    get: str


class DoctorReport(TypedDict):
    """`npu doctor`: versions, and everything that can be there."""

    zeroskip: str
    python: str
    pieces: list[PieceReport]


# --- models on chips, side by side ----------------------------------------------------------------
class LayerTiles(TypedDict):
    """A weight matrix on a chip: its tiles, as `npu.analysis.results.LayerReport` has them."""

    name: str
    tiles: int
    resident_tiles: int
    streamed_bytes: int


class OnChipReport(TypedDict):
    """A model on a chip, a call of it; of a transducer, an encoder call.

    Attributes
    ----------
    chip : what the user called it.
    refused : why the model does not run there, and then nothing else is there.
    cycles, ms, boot_ms : of a call, and of loading what stays on the chip.
    energy_uj : of a call, in which the chip works; an estimate.
    listening_uw : mean power of a chip that hears all the time and waits between calls, estimated;
        of a model that hears.
    bytes_moved : over the bus, in a call.
    image_bytes : of the compiled image.
    layers : of each weight matrix, which of its tiles stay.
    bank_full : share of the weight bank of the fullest lane that is used.
    run_utilisation : see `npu.chip.work`.
    """

    chip: str
    refused: NotRequired[str]
    cycles: NotRequired[float]
    ms: NotRequired[float]
    boot_ms: NotRequired[float]
    energy_uj: NotRequired[float]
    listening_uw: NotRequired[float]
    bytes_moved: NotRequired[float]
    image_bytes: NotRequired[int]
    layers: NotRequired[list[LayerTiles]]
    bank_full: NotRequired[float]
    run_utilisation: NotRequired[float]


class ComparedModel(TypedDict):
    """A model on every chip, in the order of the chips."""

    model: str
    chips: list[OnChipReport]


class CompareReport(TypedDict):
    """`npu compare`. `parameters` are those in which the chips differ, a value for each chip."""

    chips: list[str]
    parameters: dict[str, list[Any]]
    models: list[ComparedModel]
