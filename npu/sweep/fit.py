"""The smallest chip that runs a model in time.

What is searched: lanes and banks, the widths of bus and vector unit, and the other memories. A chip
is smaller whose area is, as `npu.chip.technology` estimates it. For every number of lanes, a power
of two, the banks that make it smallest are looked for, halved from those that hold all weights on;
then vector unit, bus and copies of the activations shrink as far as the deadline lets them, and
every memory to what it holds. The answer is the smallest chip that was found on this way; it is not
proven that there is no other one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from npu.chip.params import ChipParams
from npu.errors import CapacityError
from npu.sweep.compute import Results
from npu.sweep.size import area_mm2

LANES = (1, 2, 4, 8, 16, 32, 64, 128)
BUSES = (8, 16, 32, 64)
ELEMENTS = (1, 2, 4, 8, 16, 32)
BANKS = tuple(1 << k for k in range(8, 21))
ACTIVATIONS = tuple(1 << k for k in range(6, 17))
LEAST = {"param_bytes": 256, "sram_bytes": 256, "program_bytes": 1024, "memory_bytes": 1 << 16}
ROOMY = {
    "bank_bytes": BANKS[-1],
    "param_bytes": 1 << 22,
    "sram_bytes": 1 << 22,
    "program_bytes": 1 << 20,
    "activation_entries": ACTIVATIONS[-1],
    "memory_bytes": 1 << 31,
    "bus_bytes": BUSES[-1],
    "vector_elements": ELEMENTS[-1],
}
"""As much as a chip can have."""

NARROW = {
    "activation_entries": ACTIVATIONS[0],
    "bus_bytes": BUSES[0],
    "vector_elements": ELEMENTS[0],
}
BARE = {
    **NARROW,
    "bank_bytes": BANKS[0],
    "param_bytes": LEAST["param_bytes"],
    "sram_bytes": LEAST["sram_bytes"],
    "program_bytes": LEAST["program_bytes"],
}
"""Less than any chip can do with."""

PATIENCE = 2
"""Sizes of banks in a row that are tried though they make the chip no smaller."""

Evaluate = Callable[[ChipParams], Results]


@dataclass(frozen=True)
class Fit:
    """A chip that is fast enough, and what the model costs on it."""

    params: ChipParams
    results: Results

    @property
    def area_mm2(self) -> float:
        return area_mm2(self.params)


class Search:
    """Looks for the smallest chip.

    Parameters
    ----------
    base : what is not searched: clock, threads, the memory's timing, ...
    deadline_ms : of the slowest frame.
    evaluate : what a model costs on a chip.

    Attributes
    ----------
    tried : how many chips were looked at.
    """

    def __init__(self, base: ChipParams, deadline_ms: float, evaluate: Evaluate) -> None:
        self._base, self._deadline, self._evaluate = base, deadline_ms, evaluate
        self._known: dict[str, Results] = {}

    @property
    def tried(self) -> int:
        return len(self._known)

    def run(self) -> Fit:
        """Raises CapacityError where no chip is fast enough, or none holds the model."""
        self._require_possible()
        best: Fit | None = None
        for lanes in LANES:
            roomy = self._chip(self._base, ROOMY | {"lanes": lanes})
            if best is not None and area_mm2(self._chip(roomy, BARE)) >= best.area_mm2:
                break
            if not self.in_time(roomy):
                continue
            params = self._with_banks(roomy)
            if best is not None and area_mm2(self._chip(params, NARROW)) >= best.area_mm2:
                continue
            found = self._trimmed(params)
            if best is None or found.area_mm2 < best.area_mm2:
                best = found
        assert best is not None, "the most lanes are in time"
        return best

    def _require_possible(self) -> None:
        most = self._chip(self._base, ROOMY | {"lanes": LANES[-1]})
        results = self._results(most)
        if results["error"] is not None:
            raise CapacityError(f"no chip runs it: {results['error']}")
        took = results["latency_ms"] or 0.0
        if took > self._deadline:
            raise CapacityError(
                f"no chip runs it in {self._deadline:g} ms at {self._base.clock_mhz:g} MHz: with "
                f"{LANES[-1]} lanes, weights resident and everything as wide as it can be, a frame "
                f"takes {took:.4g} ms (bound by {results['bound_by']}); take a later deadline, a "
                f"faster clock (--set clock_mhz={_up(self._base.clock_mhz * took, self._deadline)})"
                ", or a smaller model"
            )

    # --- one number of lanes ---------------------------------------------------------------------
    def _with_banks(self, roomy: ChipParams) -> ChipParams:
        """With the banks that make the chip smallest, other memories as large as what they hold.

        Where less stays in the banks, more tiles need more records and commands: from some size on
        downwards, the chip grows.
        """
        used = _aligned(max(BANKS[0], self._results(roomy)["bank_bytes_used"] or 0), BUSES[-1])
        best, worse = self._holding(roomy), 0
        for value in (used, *(bank for bank in reversed(BANKS) if bank < used)):
            params = self._chip(roomy, {"bank_bytes": value})
            if worse >= PATIENCE or not self.in_time(params):
                break
            holding = self._holding(params)
            if area_mm2(holding) < area_mm2(best):
                best, worse = holding, 0
            else:
                worse += 1
        return best

    def _holding(self, params: ChipParams) -> ChipParams:
        """With memories as large as what they hold, if it is in time with them."""
        results: Any = self._results(params)
        used = {
            name: max(least, _aligned(results[_USED[name]], BUSES[-1]))
            for name, least in LEAST.items()
        }
        found = self._chip(params, used)
        return found if self.in_time(found) else params

    def _trimmed(self, params: ChipParams) -> Fit:
        """With everything else as small as it can be."""
        params = self._shrink(params, "vector_elements", ELEMENTS)
        params = self._shrink(params, "bus_bytes", BUSES)
        params = self._shrink(params, "activation_entries", ACTIVATIONS)
        params = self._holding(params)
        return Fit(params, self._results(params))

    def _shrink(self, params: ChipParams, name: str, values: Sequence[int]) -> ChipParams:
        """With the smallest of `values`, ascending, with which it is in time; else as it is."""
        now = getattr(params, name)
        smaller = [value for value in values if value < now and self._allowed(params, name, value)]
        low, high = 0, len(smaller)
        # The smallest one is often the answer, of a memory that is trimmed to what is used.
        if smaller and self.in_time(self._chip(params, {name: smaller[0]})):
            high = 0
        else:
            low = min(1, high)
        while low < high:
            middle = (low + high) // 2
            if self.in_time(self._chip(params, {name: smaller[middle]})):
                high = middle
            else:
                low = middle + 1
        return params if high == len(smaller) else self._chip(params, {name: smaller[high]})

    def _allowed(self, params: ChipParams, name: str, value: int) -> bool:
        """Whether a bus is wide enough for the vector unit."""
        return name != "bus_bytes" or value // 2 >= params.vector_elements

    # --- what is known ---------------------------------------------------------------------------
    def in_time(self, params: ChipParams) -> bool:
        """Whether the model runs in time."""
        took = self._results(params)["latency_ms"]
        return took is not None and took <= self._deadline

    def _results(self, params: ChipParams) -> Results:
        key = params.model_dump_json()
        if key not in self._known:
            self._known[key] = self._evaluate(params)
        return self._known[key]

    @staticmethod
    def _chip(params: ChipParams, changes: dict[str, int]) -> ChipParams:
        return params.model_copy(update=changes)


_USED = {
    "param_bytes": "param_bytes_used",
    "sram_bytes": "sram_bytes_used",
    "program_bytes": "program_bytes_used",
    "memory_bytes": "external_bytes_used",
}


def _aligned(n_bytes: int, to: int) -> int:
    return -(-n_bytes // to) * to


def _up(product: float, deadline_ms: float) -> str:
    """A clock that is fast enough, rounded up to two digits."""
    needed = product / deadline_ms
    digits = 10 ** max(0, len(str(int(needed))) - 2)
    return f"{-(-needed // digits) * digits:g}"
