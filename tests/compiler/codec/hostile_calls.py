"""Every public call of the codec with arguments that no caller should hand in.

    python -m tests.compiler.codec.hostile_calls 500

A process of its own, because what is looked for ends it: compiled code checks no index. With
NUMBA_DISABLE_JIT=1 the same loops run as Python, where an index out of range is an IndexError.
Whatever a call does not take it refuses with ValueError or an NpuError.
"""

import dataclasses
import faulthandler
import sys
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from compiler import codec
from npu.chip.weight_format import CodeTable
from npu.errors import NpuError

LANES, THREADS, ROWS, COLUMNS = 2, 2, 13, 30
DECODERS = codec.Decoders(LANES, THREADS, 8)
SEED = 17


def sample(density: float) -> tuple[np.ndarray, codec.Packed]:
    rng = np.random.default_rng(SEED)
    shape = (ROWS, COLUMNS)
    weights = (rng.integers(-128, 128, shape) * (rng.random(shape) < density)).astype(np.int8)
    return weights, codec.compress(weights, DECODERS)


SAMPLES = [sample(density) for density in (0.05, 0.3, 1)]
NUMBERS = st.integers(-3, 40) | st.sampled_from([2**31, 2**63, -(2**63), 1.5, None, True, "4"])
WORDS = st.integers(0, 2**32 - 1)


def arrays_like(array: np.ndarray) -> st.SearchStrategy[Any]:
    """The array changed in places, cut, of another type or shape, or something else."""
    low = 0 if array.dtype.kind == "u" else -(2 ** (8 * array.dtype.itemsize - 1))
    high = 2 ** (8 * array.dtype.itemsize - (array.dtype.kind != "u")) - 1
    items = st.integers(low, high) | st.integers(0, 20)

    def changed(edits: list[tuple[int, int]]) -> np.ndarray:
        found = array.copy()
        for place, item in edits:
            if found.size:
                found.flat[place % found.size] = item
        return found

    edited = st.lists(st.tuples(st.integers(0, 10_000), items), max_size=4).map(changed)
    cut = st.integers(0, len(array)).map(lambda n: array[:n])
    others = [
        array.astype(np.float64),
        array.astype(bool),
        array.reshape(1, -1),
        array[:, None],
        np.zeros(0),
        array.tolist(),
        None,
    ]
    return edited | cut | st.sampled_from(others)


@st.composite
def tables(draw: st.DrawFn, table: CodeTable) -> CodeTable:
    return CodeTable(
        draw(mostly(table.raw_bits, 8, 9, -1, None)),
        *draw(one_changed((table.counts, table.entries), arrays_like)),
    )


@st.composite
def one_changed(draw: st.DrawFn, items: tuple[Any, ...], change: Any) -> list[Any]:
    """The items with one of them changed, or all as they are."""
    found = list(items)
    if draw(st.booleans()):
        place = draw(st.integers(0, len(found) - 1))
        found[place] = draw(change(found[place]))
    return found


def mostly(found: Any, *others: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from([found] * 6 + list(others))


@st.composite
def code_sets(draw: st.DrawFn, sets: tuple[codec.packed.CodeSet, ...]) -> Any:
    found = [tuple(draw(one_changed(each, tables))) for each in sets]
    return draw(mostly(found, found * 2, found * 3, [], [found[0][:1]]))


@st.composite
def slots(draw: st.DrawFn, slot_rows: tuple[np.ndarray, ...]) -> Any:
    found = draw(one_changed(slot_rows, arrays_like))
    return draw(mostly(found, found[1:], found * 2, []))


@st.composite
def packed(draw: st.DrawFn, good: codec.Packed) -> codec.Packed:
    """A packed matrix with one to three fields that contradict the others."""
    wrong = {
        "shape": st.tuples(NUMBERS, st.integers(-3, 200) | st.sampled_from([1.5, None])),
        "lanes": NUMBERS,
        "threads": NUMBERS,
        "slot_rows": slots(good.slot_rows),
        "sets": code_sets(good.sets),
        "sections": one_changed(good.sections, arrays_like),
    }
    fields = draw(st.lists(st.sampled_from(sorted(wrong)), min_size=1, max_size=2, unique=True))
    return dataclasses.replace(good, **{field: draw(wrong[field]) for field in fields})


def outputs() -> st.SearchStrategy[Any]:
    """What weights may be decoded to."""
    shapes = st.sampled_from([(ROWS, COLUMNS), (ROWS - 1, COLUMNS), (1, 1), (ROWS, 0), (40,)])
    types = st.sampled_from([np.int8, np.int8, np.uint8, np.int64])
    good = st.builds(lambda: np.zeros((ROWS, COLUMNS), np.int8))
    plain = st.builds(lambda shape, dtype: np.zeros(shape, dtype), shapes, types)
    return good | plain | st.sampled_from([np.zeros((COLUMNS, ROWS), np.int8).T, None])


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, Any]:
    """A call, and its name with its arguments."""
    weights, good = draw(st.sampled_from(SAMPLES))
    matrices = st.just(weights) | arrays_like(weights)
    some_slots, some_sets = st.just(good.slot_rows) | slots(good.slot_rows), code_sets(good.sets)
    lanes = mostly(LANES, 0, 1, 3, 2**31, None)
    sections = one_changed(good.sections, arrays_like) | st.just(())
    table = draw(tables(good.sets[0][1]))
    stored = st.just(good.to_bytes()) | st.binary(max_size=80)
    workers = mostly(1, 2, 0, 2**40, None)
    price = mostly(2, 0, -1, 2**40, 0.5)
    groups = st.lists(arrays_like(np.arange(ROWS)), max_size=3)
    arguments: dict[str, Any] = {
        "Packed.to_bytes": (packed(good),),
        "Packed.from_bytes": (stored,),
        "Packed.bank_words": (packed(good),),
        "Packed.check": (packed(good),),
        "Packed.decode": (packed(good), workers),
        "Packed.tile": (packed(good), mostly(8, 0, 5, -4, 2**31)),
        "Packed.stats": (packed(good), mostly(8, 0, 5, -4, 2**31)),
        "Decoders": (NUMBERS, NUMBERS, NUMBERS),
        "arrange": (matrices, groups, st.just(DECODERS)),
        "choose_sets": (st.lists(st.tuples(matrices, some_slots), max_size=2), lanes, lanes, price),
        "code_lengths": (arrays_like(np.arange(9)), st.just(10) | NUMBERS),
        "code_table": (arrays_like(table.entries), arrays_like(np.arange(9)), NUMBERS)
        if isinstance(table.entries, np.ndarray) and table.entries.ndim == 1
        else (NUMBERS, NUMBERS, NUMBERS),
        "codes": (st.just(table),),
        "compress": (matrices, st.just(DECODERS), st.booleans(), lanes, price),
        "compress_rows": (st.lists(matrices, max_size=3) | matrices, st.just(DECODERS)),
        "decode_sections": (
            sections,
            some_slots,
            some_sets,
            outputs(),
            mostly(1, 2, 0, 2**40, None),
        ),
        "encode": (matrices, some_slots, lanes, lanes, st.none() | some_sets, lanes, price),
        "entropy_bits": (matrices,),
    }
    name = draw(st.sampled_from(sorted(arguments)))
    return name, tuple(draw(argument) for argument in arguments[name])


def call(name: str, arguments: tuple[Any, ...]) -> str:
    """Run a call; returns "done" or "refused". Raises what it should not have raised."""
    place, _, method = name.rpartition(".")
    function = getattr(getattr(codec, place) if place else codec, method)
    try:
        found = function(*arguments)
        if name == "compress_rows":
            list(found)
    except (ValueError, NpuError) as error:
        assert str(error), f"{type(error)} without a word"
        return "refused"
    return "done"


def main(examples: int) -> None:
    faulthandler.enable()
    seen: dict[str, int] = {}

    @seed(SEED)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(calls())
    def run(example: tuple[str, Any]) -> None:
        # What ends the process stands last.
        print(*example, file=sys.stderr, flush=True)
        outcome = f"{example[0]} {call(*example)}"
        seen[outcome] = seen.get(outcome, 0) + 1

    run()
    for outcome in sorted(seen):
        print(outcome, seen[outcome])


if __name__ == "__main__":
    main(int(sys.argv[1]))
