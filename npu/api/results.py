"""Results of runs, as objects and as rows: `pandas.DataFrame(result.to_rows())`."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class CallResult:
    """One call: its number, from 0 on, its cycles, and milliseconds at the chip's clock."""

    call: int
    cycles: int
    ms: float


@dataclass(frozen=True, eq=False)
class RunResult:
    """What a run answered, and what every call took.

    Attributes
    ----------
    outputs : of a single graph, an array per output, (calls, ...) of the model's type; of a
        transducer, one array (symbols,) int32.
    calls : what each took.
    """

    outputs: tuple[np.ndarray, ...]
    calls: tuple[CallResult, ...]

    @property
    def output(self) -> np.ndarray:
        """The first output, and most often the only one."""
        return self.outputs[0]

    @property
    def cycles(self) -> np.ndarray:
        """(calls,) int64."""
        return np.array([call.cycles for call in self.calls], np.int64)

    def to_rows(self) -> Rows:
        """A row for each call."""
        return _rows(self.calls)


@dataclass(frozen=True)
class LayerLatency:
    """The products of one weight matrix.

    Attributes
    ----------
    layer : graph, operator and matrix.
    cycles, ms : of a product; None where it is made after the start alone, or not at all.
    ideal_cycles : nonzeros over lanes, rounded up: no chip of as many lanes is faster.
    nonzeros : of its weights.
    bits_per_weight : with everything counted.
    tiles, resident_tiles : in which it is loaded, and how many of them stay on the chip.
    streamed_bytes : that come over the bus for every product.
    """

    layer: str
    cycles: float | None
    ms: float | None
    ideal_cycles: int
    nonzeros: int
    bits_per_weight: float
    tiles: int
    resident_tiles: int
    streamed_bytes: int


@dataclass(frozen=True)
class Latency:
    """What a call of a program takes: of a transducer, an encoder call.

    Attributes
    ----------
    chip : its name.
    cycles, ms : of the call.
    boot_ms, reset_ms : of loading what stays on the chip, and of beginning an utterance.
    segments : cycles of each graph, once through it.
    layers : in the order of the program.
    """

    chip: str
    cycles: int
    ms: float
    boot_ms: float
    reset_ms: float
    segments: dict[str, float]
    layers: tuple[LayerLatency, ...]

    def __iter__(self) -> Iterator[LayerLatency]:
        return iter(self.layers)

    def to_rows(self) -> Rows:
        """A row for each weight matrix."""
        return _rows(self.layers)


def _rows(items: Sequence[Any]) -> Rows:
    return [asdict(item) for item in items]
