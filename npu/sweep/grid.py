"""The chips that `npu.sweep.fit` searches: values of every parameter, and steps between them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from npu.chip.params import ChipParams

ALIGNED = 64
"""Bytes of which memories that are trimmed to what they hold are multiples."""

LEAST = {"param_bytes": 256, "sram_bytes": 256, "program_bytes": 1024, "memory_bytes": 1 << 16}
"""Of memories; less than any model needs."""

MOST = {"sram_bytes": 1 << 22, "memory_bytes": 1 << 31}
"""Of memories that are no step."""


def _powers(first: int, last: int) -> tuple[int, ...]:
    return tuple(1 << k for k in range(first.bit_length() - 1, last.bit_length()))


@dataclass(frozen=True)
class Grid:
    """Values of each parameter, ascending; memories may also be as large as what they hold."""

    lanes: Sequence[int] = _powers(1, 128)
    bank_bytes: Sequence[int] = _powers(256, 1 << 20)
    param_bytes: Sequence[int] = _powers(256, 1 << 22)
    program_bytes: Sequence[int] = _powers(1024, 1 << 20)
    vector_elements: Sequence[int] = _powers(1, 32)
    bus_bytes: Sequence[int] = _powers(8, 64)
    activation_entries: Sequence[int] = _powers(64, 1 << 16)

    @property
    def roomy(self) -> dict[str, int]:
        """As much as a chip can have, but for its lanes."""
        return MOST | {name: each[-1] for name, each in self._steps().items() if name != "lanes"}

    @property
    def narrow(self) -> dict[str, int]:
        """The least of what is no memory."""
        names = ("activation_entries", "bus_bytes", "vector_elements")
        return {name: getattr(self, name)[0] for name in names}

    def neighbours(self, params: ChipParams) -> Iterator[ChipParams]:
        """Chips a step away; their memories have room, some of them to a step.

        How weights lie follows from how large parameter and program memory are.
        """
        room = dict(MOST)
        for name in ("param_bytes", "program_bytes"):
            values = getattr(self, name)
            room[name] = values[bisect_left(values, getattr(params, name))]
        for name, values in self._steps().items():
            for value in _beside(values, getattr(params, name)):
                if _goes_with(params, name, value):
                    yield params.model_copy(update=room | {name: value})
        for lanes in _beside(self.lanes, params.lanes):
            for bank in _beside(self.bank_bytes, params.bank_bytes):
                if (lanes > params.lanes) != (bank > params.bank_bytes):
                    changes = {"lanes": lanes, "bank_bytes": bank}
                    yield params.model_copy(update=room | changes)

    def _steps(self) -> dict[str, Sequence[int]]:
        return dict(vars(self))


def _beside(values: Sequence[int], now: int) -> list[int]:
    """The next value below and above, of ascending ones."""
    below, above = values[: bisect_left(values, now)], values[bisect_right(values, now) :]
    return [*below[-1:], *above[:1]]


def _goes_with(params: ChipParams, name: str, value: int) -> bool:
    """Whether a bus is as wide as the vector unit needs, and activations have not more room."""
    if name == "activation_entries":
        return value < params.activation_entries
    bus = value if name == "bus_bytes" else params.bus_bytes
    elements = value if name == "vector_elements" else params.vector_elements
    return bus // 2 >= elements
