"""The schemas of the reports: what the JSON of a command holds, key by key.

A figure is defined here once. `tests/npu/cli` holds every report against its schema. Those that
speak of a room above this one stand there: the codec's in `compiler.bench`, a model's in
`compiler.describe`, area and clock in `rtl.synth`.
"""

from typing import Any, NotRequired, TypedDict

from npu.analysis.energy_results import FrameEnergy
from npu.analysis.heard_results import StreamChip, StreamReport
from npu.analysis.quantise_results import PartReport
from npu.chip.summary import ChipSummary
from npu.chip.work import WorkReport


# --- images ---------------------------------------------------------------------------------------
class WeightsReport(TypedDict):
    """Weight matrices together.

    Attributes
    ----------
    sparsity : share of zeros; None where there are no weights, as in all shares below.
    compressed_bits : code tables, directories, padding and headers counted.
    bits_per_weight : of these over all weights, zeros too.
    entropy_bits_per_weight : zeroth-order entropy, the gates of an LSTM each for itself.
    over_entropy : bits over entropy; None where that is 0.
    tiles, ... : sums of the matrices'; bytes come once for every product of each.
    """

    weights: int
    nonzeros: int
    sparsity: float | None
    compressed_bits: int
    bits_per_weight: float | None
    entropy_bits_per_weight: float | None
    over_entropy: float | None
    tiles: int
    resident_tiles: int
    resident_bytes: int
    streamed_bytes: int


class LayerReport(TypedDict):
    """One weight matrix: the shares as in `WeightsReport`.

    Attributes
    ----------
    row_record_bytes : bias, scale and destination of the rows.
    tiles, resident_tiles : in which it is loaded, and how many of them stay in the banks.
    resident_bytes : of external memory, that are loaded at boot and stay.
    streamed_bytes : that come over the bus for every product.
    products, cycles, run_cycles, product_utilisation : as `npu.analysis.profile.LayerCycles`,
        where they were measured.
    ideal_cycles : nonzeros over lanes, rounded up.
    """

    name: str
    rows: int
    columns: int
    nonzeros: int
    sparsity: float
    compressed_bits: int
    bits_per_weight: float
    entropy_bits_per_weight: float
    over_entropy: float | None
    row_record_bytes: int
    tiles: int
    resident_tiles: int
    resident_bytes: int
    streamed_bytes: int
    products: NotRequired[int]
    cycles: NotRequired[float]
    run_cycles: NotRequired[float]
    ideal_cycles: NotRequired[int]
    product_utilisation: NotRequired[float]


class MemoryUse(TypedDict):
    """Bytes of a memory; of vector SRAM, those that live at the worst moment, in so many places.

    An output that is written over its input is in one place with it.
    """

    used: int
    size: int
    live: NotRequired[int]
    places: NotRequired[int]


class SegmentReport(TypedDict):
    """A graph of the model, once through: as `npu.analysis.profile.SegmentCycles`."""

    cycles: float
    ms: float
    units: dict[str, float]
    macs: float
    bytes: float
    run_utilisation: float


class CompileReport(TypedDict):
    """`npu compile`. `memory` is by memory, `segments` by graph; `frame` is of `npu latency`.

    `calibration` is there with `--calibration-report`.
    """

    model: str
    kind: str
    chip: ChipSummary
    image_bytes: int
    layers: list[LayerReport]
    total: WeightsReport
    memory: dict[str, MemoryUse]
    commands: int
    boot_cycles: int
    reset_cycles: int
    segments: dict[str, SegmentReport]
    frame: FrameEnergy
    calibration: NotRequired[PartReport]


class Line(TypedDict):
    """A command of a disassembly; `label` is what entries and branches call it by."""

    pc: int
    label: str | None
    layer: str
    text: str


class ImageReport(TypedDict):
    """`npu inspect` of an image; what is not typed further is as the image's header has it."""

    model: str
    kind: str
    format: int
    chip: dict[str, Any]
    sources: dict[str, str]
    entries: dict[str, int]
    sections: list[dict[str, Any]]
    program: dict[str, Any]
    memory: dict[str, MemoryUse]
    layers: list[LayerReport]
    total: WeightsReport
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    transducer: dict[str, Any] | None
    disassembly: list[Line]


# --- runs -----------------------------------------------------------------------------------------
class ArrayReport(TypedDict):
    """An array of an `.npz` file."""

    dtype: str
    shape: tuple[int, ...]


class RunChip(ChipSummary, WorkReport):
    """The chip over the calls of a graph, boot and reset left out.

    Attributes
    ----------
    cycles : by call.
    energy_uj : by cause (`npu.analysis.energy.CAUSES`), and its "total", of all calls; the
        chip does not wait between them. An estimate, of the twin only.
    """

    mean_cycles: float
    max_cycles: int
    mean_ms: float
    max_ms: float
    cycles: list[int]
    energy_uj: NotRequired[dict[str, float]]


class RunReport(TypedDict):
    """`npu run`; `chip` where there is one."""

    model: str
    engine: str
    calls: int
    outputs: dict[str, ArrayReport]
    chip: NotRequired[RunChip]


class Compared(TypedDict):
    """Elements that were compared with the recording, and how many differ."""

    compared: int
    kernels_differ: int
    twin_differ: int


class Features(TypedDict):
    """Features of our own front end: how many, and how many differ from the recording."""

    elements: int
    differ: int


class UtteranceReport(TypedDict):
    """A bundled utterance."""

    utterance: str
    text: str
    tflm_text: str
    equal: bool
    audio_ms: float
    calls: int
    features: Features
    chip: StreamReport


class DemoReport(TypedDict):
    """`npu demo`."""

    model: str
    chip: StreamChip
    equal: bool
    proof: dict[str, Compared]
    texts_equal: int
    features: Features
    audio_seconds: float
    deadline_ms: float
    simulation_seconds: float
    simulation_real_time_factor: float
    weights: WeightsReport
    utterances: list[UtteranceReport]
    compile_seconds: NotRequired[float]
    total_seconds: NotRequired[float]
    peak_memory_mib: NotRequired[float]


# --- twin beside RTL ------------------------------------------------------------------------------
class SpeedReport(TypedDict):
    """Cycles that an engine ran, and the seconds it took for them."""

    cycles: int
    seconds: float
    cycles_per_second: float


class WavesReport(TypedDict):
    """The twin's waveforms and how they compare with the RTL's; see `npu.waves.compare`."""

    file: str
    signals: int
    cycles: int
    difference: dict[str, Any] | None


class VerifyReport(TypedDict):
    """`npu verify`. `outputs` counts elements; `difference` is None, or has a "kind".

    `waves` is the file of the RTL's waveforms, `twin_waves` says how the twin's compare with them.
    With `npu verify --netlist` the last engine is "netlist", `cells` counts its cells by kind, and
    what is under "rtl" is the netlist's; else `cells` is None. With gated clocks, `clocked` has, by
    unit, the share of the cycles in which its clock had an edge; else it is None.
    """

    model: str
    chip: ChipSummary
    equal: bool
    engines: list[str]
    calls: int
    commands: int
    outputs: dict[str, int]
    twin: SpeedReport
    rtl: SpeedReport
    cells: dict[str, int] | None
    clocked: dict[str, float] | None
    waves: str | None
    twin_waves: WavesReport | None
    difference: dict[str, Any] | None


class SpeedupReport(TypedDict):
    """`npu bench twin`. `speedup` is the twin's speed over the RTL's."""

    model: str
    chip: ChipSummary
    calls: int
    equal: bool
    differ: list[str]
    twin: SpeedReport
    rtl: SpeedReport
    speedup: float


class HeardEventsReport(TypedDict):
    """Sounds as events: what they are, and how fast with all that is new in them.

    Attributes
    ----------
    files, starts : how many sounds, and starts of the chip.
    kernels_seconds : what the kernels took to hear them, and to say what data decide.
    events : all starts, from the boot on, on a machine that knows nothing yet.
    speedup : of that over the RTL's speed; with_kernels : of it with the kernels' seconds.
    """

    files: int
    starts: int
    kernels_seconds: float
    events: SpeedReport
    speedup: float
    with_kernels: float


class EventsReport(TypedDict):
    """`npu bench events`.

    Attributes
    ----------
    starts : of the chip: boot, reset, and calls.
    equal : the cycles of all of them.
    first : the trace's starts for the first time; events : over and over, boot left out.
    first_speedup, speedup : the speeds of both over the RTL's.
    heard : of sounds, if there are any.
    """

    model: str
    chip: ChipSummary
    starts: int
    equal: bool
    first: SpeedReport
    events: SpeedReport
    rtl: SpeedReport
    first_speedup: float
    speedup: float
    heard: HeardEventsReport | None
