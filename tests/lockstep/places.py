"""Where the operands of random programs lie."""

from dataclasses import dataclass

import numpy as np

from npu.chip.isa import command
from npu.chip.params import ChipParams
from tests.lockstep.tiles import Layout

SOURCES = ("a", "b")


@dataclass(frozen=True)
class Places:
    """Places in vector SRAM: slots of a grid, and where programs are wild, any."""

    p: ChipParams
    layout: Layout
    wild: bool

    def sram(self, rng: np.random.Generator, n_bytes: int, unit: int) -> int:
        """A place for an operand of about `n_bytes`, a multiple of `unit`."""
        if not self.wild or rng.random() < 0.4:
            return int(rng.integers(self.layout.slots)) * self.layout.slot_bytes
        size, kind = self.p.sram_bytes, rng.random()
        if kind < 0.02:
            return int(rng.integers(1 << 24))  # nearly always outside
        if kind < 0.05:
            return int(rng.integers(size))  # nearly always misaligned
        if kind < 0.1:
            return max(0, size - n_bytes // unit * unit + unit * int(rng.integers(-2, 3)))
        return int(rng.integers(max(1, (size - n_bytes) // unit + 1))) * unit

    def external(self, rng: np.random.Generator, end: int) -> int:
        """An external address, mostly outside the memory of `end` bytes, or misaligned."""
        bus = self.p.bus_bytes
        kind = rng.random()
        if kind < 0.4:
            return end // bus * bus + bus * int(rng.integers(-3, 3))
        if kind < 0.7:
            return int(rng.integers(1 << 32)) // bus * bus
        return int(rng.integers(end))

    def operands(
        self, rng: np.random.Generator, name: str, values: dict[str, int]
    ) -> dict[str, int]:
        """`a`, `b` and `dst` of a vector command; seldom is a destination laid across a source."""
        types = dict(zip((*SOURCES, "dst"), command(name, **values).operand_types, strict=True))
        known = {field.name for field in command(name).opcode.fields}
        for _ in range(20):
            places, spans = {}, {}
            for key, kind in types.items():
                if key not in known or kind is None:
                    continue
                n_bytes = values["n"] * kind.n_bytes
                places[key] = self.sram(rng, n_bytes, self.p.vector_elements * kind.n_bytes)
                spans[key] = (places[key], places[key] + n_bytes)
            if "dst" in places and rng.random() < 0.1:
                # In place.
                key = str(rng.choice(SOURCES))
                if key in places and types[key] is types["dst"]:
                    places["dst"], spans["dst"] = places[key], spans[key]
            if not any(_overlap(spans.get(key), spans.get("dst")) for key in SOURCES):
                break
        return places


def _overlap(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    if one is None or other is None or one == other:
        return False
    return one[0] < other[1] and other[0] < one[1]
