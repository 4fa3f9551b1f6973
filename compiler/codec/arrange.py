"""Where the rows of a matrix go: any slot and any place in it will do, so the choice saves bits.

Rows alike go to lanes that share a code set (`compiler.codec.classes`), and in a slot rows follow
one another where their zeros take few bits together (`compiler.codec.swaps`). Sections are padded
to a word, so rows of equally many symbols swap lanes until most sections end just under one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from operator import attrgetter
from typing import Any, Protocol

import numpy as np

from compiler.codec.bits import RowSteps, join_rows, measure_rows, steps_of
from compiler.codec.checks import as_rows, check_bus, check_count
from compiler.codec.classes import Split, classes, splits
from compiler.codec.deal import deal
from compiler.codec.packed import entry_counts
from compiler.codec.steps import Part
from compiler.codec.swaps import exchange_rows, order_rows, swap_lanes
from compiler.codec.symbols import CYCLE_BITS, Plan, as_coded, check_cycle_bits, joined, make_plan
from compiler.codec.tables import sets_for
from npu.chip import timing
from npu.chip.weight_format import SETS, WORD_BITS, CodeSet, block_bytes

# A cycle of a product in cycles of a lane. A set costs about 24 of every product, and a row too
# many in the fullest slot its symbols: neither for a few bytes.
PRODUCT_CYCLE = 16
# Of an ideal saving, the part that a further set's own tables cost, in blocks of one set.
SET_COST = 0.75
# With so many more symbols than nonzeros, rows are dealt again by what they really take.
UNEVEN = 1.01


class Lanes(Protocol):
    """What the decoders are: so many lanes of so many threads, and the bus that feeds them.

    `slots` = lanes * threads; `npu.chip.params.ChipParams` is one.
    """

    @property
    def lanes(self) -> int: ...

    @property
    def threads(self) -> int: ...

    @property
    def slots(self) -> int: ...

    @property
    def bus_bytes(self) -> int: ...


def check_lanes(params: Lanes) -> None:
    """Raise ValueError unless these are decoders that can be."""
    check_count("lanes", params.lanes)
    check_count("threads", params.threads)
    check_bus(params.bus_bytes)
    if params.slots != params.lanes * params.threads:
        raise ValueError(
            f"{params.slots} slots, must be {params.lanes} lanes * {params.threads} threads"
        )


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Rows of the tiles of a matrix in their slots, and the code sets that all tiles share.

    Attributes
    ----------
    tiles : the weights of each tile, (rows, columns) int8, at least one column.
    deals : for each tile, its rows by slot.
    sets : divide the lanes.
    params : the lanes.
    cycle_bits : what a lane's cycle is worth in bits.
    """

    tiles: tuple[np.ndarray, ...]
    deals: tuple[tuple[np.ndarray, ...], ...]
    sets: tuple[CodeSet, ...]
    params: Lanes
    cycle_bits: int = CYCLE_BITS

    def parts(self) -> list[Part]:
        return list(zip(self.tiles, self.deals, strict=True))

    @property
    def columns(self) -> int:
        return self.tiles[0].shape[1]

    @cached_property
    def steps(self) -> tuple[RowSteps, ...]:
        """The rows of each tile as steps."""
        return tuple(map(steps_of, self.tiles))

    @cached_property
    def plans(self) -> list[Plan]:
        return [make_plan(tables, self.columns, self.cycle_bits) for tables in self.sets]

    def share(self, slots: Sequence[np.ndarray], number: int) -> Sequence[np.ndarray]:
        """The slots of the lanes that decode with a set."""
        size = self.params.slots // len(self.sets)
        return slots[number * size : (number + 1) * size]

    @cached_property
    def row_sizes(self) -> list[np.ndarray]:
        """`measure_rows` of each tile, every row by the code set that it is dealt to."""
        found = []
        for weights, steps, slots in zip(self.tiles, self.steps, self.deals, strict=True):
            sizes = np.zeros((len(weights), 4), np.int64)
            for number, plan in enumerate(self.plans):
                measure_rows(steps, joined(self.share(slots, number)).rows, plan, sizes)
            found.append(sizes)
        return found

    def dealt_again(
        self, deals: Sequence[tuple[np.ndarray, ...]], row_sizes: list[np.ndarray]
    ) -> "Arrangement":
        """The same rows under the same codes in other slots, where they take `row_sizes`."""
        made = replace(self, deals=tuple(deals))
        return _known(made, steps=self.steps, plans=self.plans, row_sizes=row_sizes)

    @cached_property
    def sizes(self) -> tuple[int, int]:
        """(bits, cycles of a product): streams in words, block without scales; no waits."""
        params = self.params
        entries = entry_counts(self.sets)
        reads = -(-self.columns // params.bus_bytes)
        load = timing.load(entries, 0, reads, params.threads)
        bits, cycles = 8 * block_bytes(self.sets, 0), load * len(self.tiles)
        for slots, sizes in zip(self.deals, self.row_sizes, strict=True):
            turns = 0
            for number, plan in enumerate(self.plans):
                found = join_rows(sizes, joined(self.share(slots, number)), plan)
                bits += _padded_bits(_streams(found, params))
                turns = max(turns, int(found[:, 0].max()) + 1)
            cycles += turns * params.threads
        return bits, cycles

    @property
    def price(self) -> int:
        bits, cycles = self.sizes
        return bits + PRODUCT_CYCLE * self.cycle_bits * cycles


def _known(made: Arrangement, **found: Any) -> Arrangement:
    """An arrangement of which some properties are known, and not worked out again."""
    vars(made).update(found)
    return made


@dataclass(frozen=True, eq=False)
class _Matrix:
    """What is arranged, whatever the codes and slots.

    Attributes
    ----------
    tiles, params, cycle_bits : see `Arrangement`.
    groups : of each tile, the rows of the matrix.
    mass : (rows,) turns that a row takes at least.
    steps : of each tile.
    """

    tiles: tuple[np.ndarray, ...]
    groups: Sequence[np.ndarray]
    mass: np.ndarray
    params: Lanes
    cycle_bits: int
    steps: tuple[RowSteps, ...]

    def sets_for(self, deals: Sequence[Sequence[np.ndarray]], sets: int) -> tuple[CodeSet, ...]:
        """So many code sets for rows dealt like this."""
        columns = self.tiles[0].shape[1]
        dealt = list(zip(self.steps, deals, strict=True))
        return tuple(sets_for(columns, dealt, self.params.lanes, sets, self.cycle_bits))


def arrange(
    weights: np.ndarray,
    groups: Sequence[np.ndarray],
    params: Lanes,
    thorough: bool = True,
    cycle_bits: int = CYCLE_BITS,
) -> Arrangement:
    """Deal the rows of each group, a tile, to the slots of the chip, and choose the code sets.

    thorough : look for rows that want a code set of their own and for a deal with less padding;
    else one set for rows dealt once, several times as fast, for some percent more bits.
    cycle_bits : what a lane's cycle is worth in bits.
    """
    check_cycle_bits(cycle_bits)
    check_lanes(params)
    coded = as_coded(weights)
    groups = [as_rows(rows, len(coded), f"group {i}") for i, rows in enumerate(groups)]
    if not groups or any((np.diff(rows) <= 0).any() for rows in groups):
        raise ValueError("groups must be one or more of rows in ascending order")
    mass = np.maximum(1, np.count_nonzero(coded, axis=1))
    steps = steps_of(coded)
    parts = [_part(coded, steps, rows) for rows in groups]
    tiles, of_tiles = zip(*parts, strict=True)
    matrix = _Matrix(tiles, groups, mass, params, cycle_bits, of_tiles)
    if not thorough:
        return _deal(matrix, [], [mass[rows] for rows in groups])
    best = _dealt(matrix, [])
    allowed = [n for n in SETS if params.lanes % n == 0]
    found = splits(steps, mass, max(allowed))
    block = 8 * block_bytes(best.sets, 0)
    promises = [
        sum(split.saved for split in found[: n - 1]) - SET_COST * block * (n - 1) for n in allowed
    ]
    if (further := allowed[int(np.argmax(promises))] - 1) > 0:
        separate = _dealt(matrix, found[:further])
        if separate.price < best.price:
            exchanged = _rechosen(_exchanged(separate, matrix), matrix)
            exchanged = _exchanged(exchanged, matrix)
            best = min(separate, exchanged, key=attrgetter("price"))
    return _tightened(best)


def _part(weights: np.ndarray, steps: RowSteps, rows: np.ndarray) -> tuple[np.ndarray, RowSteps]:
    """Some rows of a matrix and their steps, not copied where they follow one another."""
    if not len(rows) or rows[-1] - rows[0] >= len(rows):
        some = weights[rows]
        return some, steps_of(some)
    first, end = int(rows[0]), int(rows[-1]) + 1
    return weights[first:end], steps.part(first, end)


def _dealt(matrix: _Matrix, found: Sequence[Split]) -> Arrangement:
    """Rows dealt by class, by their nonzeros or, where that is better, by what they really take."""
    made = _deal(matrix, found, [matrix.mass[rows] for rows in matrix.groups])
    lengths = [sizes[:, 2] for sizes in made.row_sizes]
    if sum(int(length.sum()) for length in lengths) <= UNEVEN * matrix.mass.sum():
        return made
    again = _deal(matrix, found, lengths)
    return min(made, again, key=attrgetter("price"))


def _deal(matrix: _Matrix, found: Sequence[Split], lengths: Sequence[np.ndarray]) -> Arrangement:
    """Rows dealt by class, slots as full as each other; lengths : of the rows of each group."""
    sets = len(found) + 1
    deals = []
    for rows, length in zip(matrix.groups, lengths, strict=True):
        slots: list[np.ndarray] = []
        for part in classes(found, matrix.mass, rows):
            mine = np.searchsorted(rows, part)
            slots += [mine[slot] for slot in deal(length[mine], matrix.params.slots // sets)]
        deals.append(tuple(slots))
    code_sets = matrix.sets_for(deals, sets)
    made = Arrangement(matrix.tiles, tuple(deals), code_sets, matrix.params, matrix.cycle_bits)
    return _known(made, steps=matrix.steps)


def _streams(found: np.ndarray, params: Lanes) -> np.ndarray:
    """(lanes,) int64: bits of the sections' streams, from those of their slots."""
    return found[:, 1].reshape(-1, params.threads).sum(axis=1)


def _padded_bits(sections: np.ndarray) -> int:
    """Bits of sections once they end with a word."""
    return int((-(-sections // WORD_BITS) * WORD_BITS).sum())


def _exchanged(made: Arrangement, matrix: _Matrix) -> Arrangement:
    """Swap rows between code sets by what they take under the codes."""
    deals, row_sizes = [], []
    for rows, steps, slots in zip(matrix.groups, made.steps, made.deals, strict=True):
        every = np.arange(len(rows))
        under = np.zeros((len(made.sets), len(rows), 4), np.int64)
        prices = np.empty((len(rows), len(made.sets)), np.int64)
        for number, plan in enumerate(made.plans):
            measure_rows(steps, every, plan, under[number])
            lead, between = under[number, :, 0], under[number, :, 3]
            prices[:, number] = between + plan.boundaries()[0][0, lead]
        order, starts = joined(slots)
        share = made.params.slots // len(made.sets)
        sets = np.repeat(np.arange(len(slots)) // share, np.diff(starts))
        exchange_rows(order, sets, matrix.mass[rows], prices)
        deals.append(tuple(np.split(order, starts[1:-1])))
        set_of_row = np.empty(len(rows), np.int64)
        set_of_row[order] = sets
        row_sizes.append(under[set_of_row, every])
    return made.dealt_again(deals, row_sizes)


def _rechosen(made: Arrangement, matrix: _Matrix) -> Arrangement:
    """The codes chosen again, for rows that have moved."""
    sets = matrix.sets_for(made.deals, len(made.sets))
    return _known(replace(made, sets=sets), steps=made.steps)


def _tightened(made: Arrangement) -> Arrangement:
    """Swap rows within slots and between lanes of a set where that makes streams shorter."""
    deals = []
    for slots, sizes in zip(made.deals, made.row_sizes, strict=True):
        tightened: list[np.ndarray] = []
        for number, plan in enumerate(made.plans):
            share = _ordered(made.share(slots, number), sizes, plan)
            tightened += _less_padding(share, sizes, plan, made.params)
        deals.append(tuple(tightened))
    return made.dealt_again(deals, made.row_sizes)


def _ordered(slots: Sequence[np.ndarray], sizes: np.ndarray, plan: Plan) -> list[np.ndarray]:
    """Swap rows within slots where that makes streams shorter; sizes : see `measure_rows`."""
    dealt = joined(slots)
    order_rows(dealt, sizes, *plan.boundaries())
    return np.split(dealt.rows, dealt.starts[1:-1])


def _less_padding(
    slots: list[np.ndarray], sizes: np.ndarray, plan: Plan, params: Lanes
) -> list[np.ndarray]:
    """Swap rows between lanes where that makes all sections together shorter."""
    dealt = joined(slots)
    sections = _streams(join_rows(sizes, dealt, plan), params)
    before = _padded_bits(sections)
    # What ends a section just under a word are bits, whatever a cycle is worth.
    bits, zeros = plan._replace(zero_bits=int(plan.values.lengths[0])).boundaries()
    swap_lanes(dealt, params.threads, sections, sizes, bits, zeros)
    better = _padded_bits(sections) < before
    return np.split(dealt.rows, dealt.starts[1:-1]) if better else slots
