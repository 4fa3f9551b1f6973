"""Matrices, dealt and packed, with everything that a product needs; random ones of every kind."""

import dataclasses

import numpy as np
from hypothesis import strategies as st

from compiler.codec import choose_sets, encode
from compiler.codec.deal import deal
from npu.chip.lanes import NEVER, ONCE, Barrel, run_lanes
from npu.chip.weight_format import ROW_DTYPE, SCALE_DTYPE, SETS
from npu.twin.product import FIELDS
from npu.twin.records import Records
from npu.twin.streams import Codes, Decoded, Sections, Slots, decode, locate
from tests import naive

ZERO_POINT, LO, HI = -5, -100, 90


@dataclasses.dataclass
class Case:
    """A matrix, dealt and packed, with everything that a product needs."""

    weights: np.ndarray
    slots: list
    lanes: int
    threads: int
    fifo_depth: int
    per_row: bool
    activations: np.ndarray
    bias: np.ndarray
    destination: np.ndarray
    scale: np.ndarray
    multipliers: np.ndarray
    shifts: np.ndarray
    base: int = 3
    sets: int = 1

    def __post_init__(self):
        sets = choose_sets([(self.weights, self.slots)], self.lanes, self.sets)
        self.packed = encode(self.weights, self.slots, self.lanes, self.threads, sets)
        # The sections stand in the middle of banks full of something else.
        longest = max(map(len, self.packed.sections))
        noise = np.random.default_rng(1).integers(0, 2**32, (self.lanes, self.base + longest + 2))
        self.banks = noise.astype(np.uint32)
        for bank, section in zip(self.banks, self.packed.sections, strict=True):
            bank[self.base : self.base + len(section)] = section

    @property
    def fields(self):
        """What the command says."""
        return np.array([(0, ZERO_POINT, LO, HI)], FIELDS)

    @property
    def barrel(self):
        """The lanes that run it."""
        return Barrel(self.lanes, self.threads, self.fifo_depth)

    @property
    def dealt(self):
        """(rows,) rows of the matrix, slot by slot."""
        return np.concatenate(self.slots).astype(int)

    def locate(self, banks=None) -> Slots:
        """What the directories say."""
        return locate(self._sections(banks))

    def decode(self, banks=None, columns=None, most_turns=NEVER) -> Decoded:
        """What the streams hold."""
        runs, values = (Codes.of(tables) for tables in zip(*self.packed.sets, strict=True))
        columns = self.weights.shape[1] if columns is None else columns
        sections = self._sections(banks)
        return decode(sections, locate(sections), runs, values, columns, most_turns)

    def run(self, banks=None, most_cycles=NEVER, repeats=ONCE):
        """What becomes of the lanes."""
        return run_lanes(self.barrel, self.decode(banks).turns, repeats, most_cycles)

    def records(self):
        """Its records, as they would be read."""
        rows = np.zeros(len(self.bias), ROW_DTYPE)
        rows["bias"], rows["destination"], rows["scale"] = self.bias, self.destination, self.scale
        scales = np.zeros(len(self.multipliers), SCALE_DTYPE)
        scales["multiplier"], scales["shift"] = self.multipliers, self.shifts
        return Records(rows, scales, self.per_row)

    def expected(self):
        """Outputs by exact arithmetic."""
        out = np.full(len(self.weights), 9999, np.int64)
        for record, row in enumerate(self.dealt):
            index = record if self.per_row else self.scale[record]
            total = sum(
                int(w) * int(x) for w, x in zip(self.weights[row], self.activations, strict=True)
            )
            out[self.destination[record]] = naive.requantize(
                total + int(self.bias[record]),
                int(self.multipliers[index]),
                int(self.shifts[index]),
                ZERO_POINT,
                LO,
                HI,
            )
        return out

    def _sections(self, banks):
        return Sections(self.banks if banks is None else banks, self.base, self.threads)


KINDS = ("sparse", "dense", "one nonzero", "empty", "mixed")


def random_case(seed, kind, lanes, threads, fifo_depth, per_row, rows=None, columns=None, sets=1):
    """A case of some kind."""
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(0, 50)) if rows is None else rows
    columns = int(rng.integers(1, 40)) if columns is None else columns
    weights = rng.integers(-128, 128, (rows, columns)).astype(np.int8)
    if kind in ("one nonzero", "empty"):
        weights[:] = 0
    elif kind != "dense":
        weights[rng.random(weights.shape) >= 0.2] = 0
    if kind == "one nonzero":
        weights[np.arange(rows), rng.integers(0, columns, rows)] = 7
    if kind == "mixed":
        weights[: rows // 2] = 0
        weights[: rows // 2, 0] = 1
    if rng.random() < 0.5:
        slots = deal(np.count_nonzero(weights, axis=1), lanes * threads)
    else:
        slot_of = rng.integers(0, max(1, lanes * threads // 2), rows)
        slots = [np.flatnonzero(slot_of == slot) for slot in range(lanes * threads)]
    scales = max(1, rows) if per_row else 3
    activations = rng.integers(-255, 256, columns) * (rng.random(columns) < 0.8)
    return Case(
        weights,
        slots,
        lanes,
        threads,
        fifo_depth,
        per_row,
        activations=activations.astype(np.int32),
        bias=rng.integers(-(2**31), 2**31, rows) >> rng.integers(0, 32),
        destination=rng.permutation(rows),
        scale=rng.integers(0, 3, rows),
        multipliers=rng.integers(2**30, 2**31, scales),
        shifts=rng.integers(-12, 3, scales),
        sets=sets,
    )


cases = st.builds(
    random_case,
    st.integers(0, 2**32 - 1),
    st.sampled_from(KINDS),
    st.integers(1, 6),
    st.integers(2, 8),
    st.integers(8, 20),
    st.booleans(),
    sets=st.sampled_from(SETS),
)
