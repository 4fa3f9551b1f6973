"""The schemas of `npu bench codec` and `npu bench peers`.

Bytes count everything: codes, headers, directories, padding.
"""

from typing import NotRequired, TypedDict

from npu.chip.summary import ChipSummary


class CoderReport(TypedDict):
    """A coder on a matrix; seconds on one thread, None for what is only counted.

    `code_seconds`: encoding alone, the code sets given; of ours only.
    """

    n_bytes: int
    encode_seconds: float | None
    decode_seconds: float | None
    code_seconds: float | None


class PriceReport(TypedDict):
    """What a lane's cycle is worth in bits, and what comes of it: `cycles` are over nonzeros."""

    cycle_bits: int
    n_bytes: int
    cycles: float


class ProductReport(TypedDict):
    """By price, the mean product of bytes over entropy and cycles over nonzeros."""

    cycle_bits: int
    product: float


class CaseSummary(TypedDict):
    """A matrix, as `compiler.bench.cases.Case` describes it.

    `zeros` is their share, `entropy_bytes` of the matrices that the model has, each for itself.
    """

    name: str
    kind: str
    shape: list[int]
    zeros: float
    entropy_bytes: float


class CaseReport(CaseSummary):
    """What became of a matrix.

    Attributes
    ----------
    stacked_entropy_bytes : of the product of the chip, which stacks an LSTM's gates.
    huffman_bytes : of the two ideal Huffman codes, zeros by "runs" and as explicit "zeros".
    prices : of matrices with few zeros.
    presets : bytes of ours by preset, of small matrices.
    coders : ours, ours in a hurry, then the peers.
    """

    stacked_entropy_bytes: float
    huffman_bytes: dict[str, float]
    prices: list[PriceReport] | None
    presets: dict[str, int] | None
    coders: dict[str, CoderReport]


class TotalReport(TypedDict):
    """A coder on several matrices; rates in weights per second, where they were measured."""

    n_bytes: int
    over_entropy: float
    encode_rate: NotRequired[float]
    code_rate: NotRequired[float]
    decode_rate: NotRequired[float]


class SumReport(TypedDict):
    """Several matrices."""

    weights: int
    entropy_bytes: float
    coders: dict[str, TotalReport]


class LargeReport(TypedDict):
    """A model that is compressed on several threads."""

    weights: int
    workers: int
    seconds: float
    bytes: int


class CodecReport(TypedDict):
    """The whole bench: every matrix, those of the model together, and all."""

    chip: ChipSummary
    coders: list[str]
    cases: list[CaseReport]
    prices: list[ProductReport]
    zoo: SumReport
    all: SumReport
    large: NotRequired[LargeReport]


class VelaReport(TypedDict):
    """Vela's estimate of a model on a processor; None of all figures where it is refused.

    Attributes
    ----------
    cycles, npu_cycles : of a call; the first with what it waits for memories.
    sram_bytes, weight_bytes : the arena, and weights as they are compressed.
    npu_operators, cpu_operators : of Vela's graph; cycles of the latter are not counted.
    """

    refused: str | None
    cycles: int | None
    npu_cycles: int | None
    clock_mhz: float | None
    macs: int | None
    sram_bytes: int | None
    weight_bytes: int | None
    npu_operators: int | None
    cpu_operators: int | None


class LargeOperator(TypedDict):
    """An operator beside the largest of its bounds: which it is, and cycles over bound."""

    name: str
    cycles: float
    bound_cycles: float
    bound_by: str
    over_bound: float


class OursReport(TypedDict):
    """A model on a chip of ours; None of what is not known where it is refused.

    Attributes
    ----------
    cycles : of a call; bound_cycles : the sum of its operators' bounds and the bus.
    over_bound : one over the other.
    program_bytes, sram_bytes, image_bytes : what it takes.
    operators : cycles of a call by operator; empty where it is refused.
    large : those with `npu.analysis.bounds.LARGE_SHARE` of the cycles or more.
    """

    refused: str | None
    cycles: float | None
    bound_cycles: float | None
    over_bound: float | None
    program_bytes: int | None
    sram_bytes: int | None
    image_bytes: int | None
    operators: dict[str, float]
    large: list[LargeOperator]


class OperatorBounds(TypedDict):
    """An operator's bounds in cycles by chip and kind, of `npu.analysis.bounds`."""

    name: str
    macs: int
    bounds: dict[str, dict[str, float]]


class InvocationReport(TypedDict):
    """An engine's time for an invocation; None of what is not known where it is refused.

    Attributes
    ----------
    us : microseconds, without Python's part: `gross_us` less `empty_us`; of our kernels, whose
        calls are a compiled loop, all of them.
    gross_us, median_us : of the fastest round and of the middle one, with Python's part.
    empty_us : of an invocation of a model that computes nothing, in its fastest round.
    invocations : of the model, in all rounds.
    """

    refused: str | None
    us: float | None
    gross_us: float | None
    median_us: float | None
    empty_us: float | None
    invocations: int


class SystolicReport(TypedDict):
    """A product in SCALE-Sim: what it simulates, the seconds that takes, or why there are none.

    Attributes
    ----------
    rows, columns : of the matrix; the vector is one.
    array : rows and columns of its systolic array.
    cycles : that it counts; seconds : of its process.
    """

    name: str
    rows: int
    columns: int
    array: list[int]
    refused: str | None
    cycles: int | None
    seconds: float | None


class SystolicProduct(TypedDict):
    """Of a model, `times` a call so many vectors by a matrix, and what SCALE-Sim counts of one.

    `cycles` is None where it did not come to the end of it.
    """

    vectors: int
    rows: int
    columns: int
    times: int
    cycles: int | None


class SystolicModelReport(TypedDict):
    """The dense products of a model in SCALE-Sim, small ones first.

    Attributes
    ----------
    array : rows and columns of its systolic array.
    refused : why it did not come to the end of all products.
    cycles : of a call, all products; seconds : of its process; None where that is refused.
    """

    array: list[int]
    refused: str | None
    products: list[SystolicProduct]
    cycles: int | None
    seconds: float | None


class HostReport(TypedDict):
    """Where times were taken: the processor, and by peer its version or "not installed"."""

    processor: str
    system: str
    versions: dict[str, str]


class PeerReport(TypedDict):
    """A model: `ours` by chip, `vela` by processor, `invocations` by engine.

    `systolic` is of a model that our reader takes, in a run that takes times.
    """

    model: str
    sha256: str
    operators: list[OperatorBounds]
    ours: dict[str, OursReport]
    vela: dict[str, VelaReport]
    invocations: NotRequired[dict[str, InvocationReport]]
    systolic: NotRequired[SystolicModelReport]


class PeersReport(TypedDict):
    """`npu bench peers`: chips and peers as they were asked for, and every model.

    `host` and `systolic` are of a run that takes times.
    """

    chips: list[ChipSummary]
    peers: dict[str, dict[str, str]]
    models: list[PeerReport]
    host: NotRequired[HostReport]
    systolic: NotRequired[list[SystolicReport]]
