"""The smallest chip that runs a model in time.

What is searched: lanes and banks, the widths of bus and vector unit, and the other memories. A chip
is smaller whose area is, as `npu.chip.technology` estimates it. For every number of lanes, a power
of two, the banks that make it smallest are looked for, halved from those that hold all weights on;
then vector unit, bus and copies of the activations shrink as far as the deadline lets them, and
every memory to what it holds. From there on, the search goes to a neighbour that is smaller and in
time, as long as there is one.

So of the answer it is sure, whether or not cycles fall with what a chip has more of: it holds the
model, it is in time, and no neighbour is smaller and does so. A neighbour is a step away: the next
number of lanes, size of banks, parameter or program memory, width of vector unit or bus, or fewer
activations, or more lanes for smaller banks and the other way round; its memories are as large as
what they then hold. It is not proven that nothing further away is smaller.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from npu.analysis.frames import DEFAULT_FRAMES
from npu.chip.params import ChipParams
from npu.errors import CapacityError
from npu.sweep.compute import Results, compute
from npu.sweep.grid import ALIGNED, LEAST, Grid
from npu.sweep.point import Point
from npu.sweep.size import area_mm2
from npu.sweep.weights import Thinning

PATIENCE = 2
"""Sizes of banks in a row that are tried though they make the chip no smaller."""

Evaluate = Callable[[ChipParams], Results]


def evaluation(
    place: str,
    name: str,
    sources: Mapping[str, str],
    folder: Path | None,
    *,
    symbols: int | None = None,
    signature: str | None = None,
) -> Evaluate:
    """What a model costs on a chip, of the usual frames; kept in `folder`, as of `npu sweep`.

    Parameters
    ----------
    place, name, sources, symbols, signature : see `npu.sweep.point.Point`.
    """

    def evaluate(params: ChipParams) -> Results:
        point = Point(
            model=place,
            name=name,
            sources=sources,
            chip=params.model_dump(mode="json"),
            thinning=Thinning(),
            frames=DEFAULT_FRAMES,
            symbols=symbols,
            signature=signature,
        )
        return compute(point, folder)

    return evaluate


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
    grid : which chips there are.

    Attributes
    ----------
    tried : how many chips were looked at.
    """

    def __init__(
        self, base: ChipParams, deadline_ms: float, evaluate: Evaluate, grid: Grid | None = None
    ) -> None:
        self._base, self._deadline, self._evaluate = base, deadline_ms, evaluate
        self._grid = grid or Grid()
        self._known: dict[str, Results] = {}

    @property
    def tried(self) -> int:
        return len(self._known)

    def run(self) -> Fit:
        """Raises CapacityError where no chip is fast enough, or none holds the model."""
        self._require_possible()
        best: Fit | None = None
        grid = self._grid
        bare = grid.narrow | {"bank_bytes": grid.bank_bytes[0]}
        for lanes in grid.lanes:
            roomy = self._chip(self._base, grid.roomy | {"lanes": lanes})
            if best is not None and self._least_mm2(self._chip(roomy, bare)) >= best.area_mm2:
                break
            if not self.in_time(roomy):
                continue
            params = self._with_banks(roomy)
            narrow = self._chip(params, grid.narrow)
            if best is not None and self._least_mm2(narrow) >= best.area_mm2:
                continue
            found = self._descended(self._trimmed(params))
            if best is None or found.area_mm2 < best.area_mm2:
                best = found
        assert best is not None, "the most lanes are in time"
        return self._fit(self._with_used(best.params, "memory_bytes"))

    def _require_possible(self) -> None:
        lanes = self._grid.lanes[-1]
        most = self._chip(self._base, self._grid.roomy | {"lanes": lanes})
        results = self._results(most)
        if results["error"] is not None:
            raise CapacityError(f"no chip runs it: {results['error']}")
        took = results["latency_ms"] or 0.0
        if took > self._deadline:
            raise CapacityError(
                f"no chip runs it in {self._deadline:g} ms at {self._base.clock_mhz:g} MHz: with "
                f"{lanes} lanes, weights resident and everything as wide as it can be, a frame "
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
        banks = self._grid.bank_bytes
        used = _aligned(max(banks[0], self._results(roomy)["bank_bytes_used"] or 0))
        best, worse = self._holding(roomy), 0
        for value in (used, *(bank for bank in reversed(banks) if bank < used)):
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
        """With memories on the chip as large as what they hold, if it is in time with them."""
        found = self._with_used(params, "param_bytes", "sram_bytes", "program_bytes")
        if self.in_time(found):
            return found
        # In less parameter memory weights lie otherwise: how large the others must be then shows
        # where they have room.
        less = self._with_used(params, "param_bytes")
        if self.in_time(less):
            found = self._with_used(less, "sram_bytes", "program_bytes")
        return found if self.in_time(found) else params

    def _with_used(self, params: ChipParams, *names: str) -> ChipParams:
        """With some memories as large as what they hold."""
        results: Any = self._results(params)
        used = {n: max(LEAST[n], _aligned(results[_USED[n]])) for n in names}
        return self._chip(params, used)

    def _trimmed(self, params: ChipParams) -> Fit:
        """With everything else as small as it can be."""
        params = self._shrink(params, "vector_elements")
        params = self._shrink(params, "bus_bytes")
        params = self._shrink(params, "activation_entries")
        return self._fit(self._holding(params))

    def _fit(self, params: ChipParams) -> Fit:
        return Fit(params, self._results(params))

    def _shrink(self, params: ChipParams, name: str) -> ChipParams:
        """With the smallest value of the grid with which it is in time; else as it is."""
        values, now = getattr(self._grid, name), getattr(params, name)
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

    # --- neighbours ------------------------------------------------------------------------------
    def _descended(self, fit: Fit) -> Fit:
        """From one smaller neighbour to the next, until none is."""
        while (found := next(self.smaller_neighbours(fit), None)) is not None:
            fit = found
        return fit

    def smaller_neighbours(self, fit: Fit) -> Iterator[Fit]:
        """Chips a step away that are smaller and in time, those first that may be smallest."""
        for params in sorted(self._grid.neighbours(fit.params), key=self._least_mm2):
            if self._least_mm2(params) >= fit.area_mm2 or not self.in_time(params):
                continue
            found = self._fit(self._holding(params))
            if found.area_mm2 < fit.area_mm2:
                yield found

    def _least_mm2(self, params: ChipParams) -> float:
        """A chip with memories that hold nothing is smaller than one that holds a model."""
        return area_mm2(self._chip(params, LEAST))

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


def _aligned(n_bytes: int) -> int:
    return -(-n_bytes // ALIGNED) * ALIGNED


def _up(product: float, deadline_ms: float) -> str:
    """A clock that is fast enough, rounded up to two digits."""
    needed = product / deadline_ms
    digits = 10 ** max(0, len(str(int(needed))) - 2)
    return f"{-(-needed // digits) * digits:g}"
