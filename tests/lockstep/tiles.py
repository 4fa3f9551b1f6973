"""Random compressed matrices that fit a small chip: what the programs multiply by."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from compiler.codec import choose_sets, encode
from compiler.codec.deal import deal
from npu.chip.params import ChipParams
from npu.chip.weight_format import LUT_BYTES, MAX_SCALES, ROW_DTYPE, SCALE_DTYPE, SETS, pack_block
from npu.model.numerics import MAX_SHIFT, MIN_SHIFT

# Matrices per chip that programs draw from.
TILES = 60


@dataclass(frozen=True)
class TileData:
    """A random compressed matrix: its tile, and block and records in one blob."""

    columns: int
    places: int
    image: bytes
    blob: bytes
    block_bytes: int


@dataclass(frozen=True)
class Layout:
    """How a program divides the chip's memories: SRAM into slots, the others into halves."""

    slot_bytes: int
    slots: int
    bank_half: int
    param_half: int

    @classmethod
    def of(cls, p: ChipParams) -> "Layout":
        bus = p.bus_bytes
        slot_bytes = max(4 * bus, p.sram_bytes // 8 // bus * bus)
        return cls(
            slot_bytes=slot_bytes,
            slots=p.sram_bytes // slot_bytes,
            bank_half=p.bank_bytes // bus // 2,
            param_half=p.param_bytes // 2 // bus * bus,
        )


@lru_cache(maxsize=4 * TILES)
def tile_data(p: ChipParams, seed: int) -> TileData:
    """One of the TILES matrices that programs draw from; compressing them takes the time."""
    rng = np.random.default_rng(seed)
    layout = Layout.of(p)
    most = min(layout.slot_bytes, p.activation_entries)
    while True:
        rows = int(rng.integers(1, 40))
        widest = most if rng.random() < 0.3 else min(most, 48)
        columns = int(rng.integers(1, widest + 1))
        if rng.random() < 0.6:
            columns = max(1, columns // p.bus_bytes) * p.bus_bytes  # a window may have as many
        sparsity = rng.choice([0.0, 0.3, 0.75, 0.9, 0.98, 1.0])
        spread = int(rng.choice([1, 3, 30, 127]))
        weights = np.clip(np.rint(rng.laplace(0, spread, (rows, columns))), -128, 127)
        weights[rng.random((rows, columns)) < sparsity] = 0
        if rng.random() < 0.05:
            weights[:] = rng.choice([-128, 127, 1])
        weights = weights.astype(np.int8)
        dealt = _dealt(rng, weights, p)
        sets = choose_sets([(weights, dealt)], p.lanes, int(rng.choice(SETS)))
        packed = encode(weights, dealt, p.lanes, p.threads, sets)
        bank_words = packed.bank_words(p.bus_bytes)
        n_out = int(rng.integers(rows, rows + 8))
        records = np.zeros(rows, ROW_DTYPE)
        records["bias"] = rng.integers(-(2**20), 2**20, rows)
        if rng.random() < 0.1:
            records["bias"] = rng.integers(-(2**31), 2**31, rows)
        records["destination"] = rng.permutation(n_out)[:rows]
        shared = int(rng.integers(1, MAX_SCALES + 1)) if rng.random() < 0.7 else 0
        scales = _scales(rng, shared or rows)
        if shared:
            records["scale"] = rng.integers(0, shared, rows)
        raw = records.view(np.uint8).reshape(rows, -1)
        if not shared:
            raw = np.concatenate([raw, scales.view(np.uint8).reshape(rows, -1)], axis=1)
        block = pack_block(sets, scales if shared else scales[:0])
        blob = block + raw.tobytes()
        fits = bank_words <= layout.bank_half and len(blob) + LUT_BYTES <= layout.param_half
        if fits and n_out * 2 <= layout.slot_bytes:
            return TileData(columns, n_out, packed.tile(p.bus_bytes), blob, len(block))


def _dealt(rng: np.random.Generator, weights: np.ndarray, p: ChipParams) -> list[np.ndarray]:
    """The compiler's deal, or one in any order to any slots."""
    if rng.random() < 0.5:
        return deal(np.maximum(1, np.count_nonzero(weights, axis=1)), p.slots)
    slot_of = rng.integers(0, rng.integers(1, p.slots + 1), len(weights))
    order = rng.permutation(len(weights))
    return [order[slot_of[order] == slot] for slot in range(p.slots)]


def _scales(rng: np.random.Generator, n: int) -> np.ndarray:
    scales = np.zeros(n, SCALE_DTYPE)
    scales["multiplier"] = rng.integers(2**30, 2**31, n)
    scales["shift"] = rng.integers(-20, 3, n)
    if rng.random() < 0.1:
        scales["multiplier"] = rng.choice([0, 1, 2**31 - 1], n)
        scales["shift"] = rng.choice([-31, -1, 0, 1, 29], n)
    if rng.random() < 0.1:
        scales["multiplier"] = rng.integers(0, 2**31, n)
        scales["shift"] = rng.integers(MIN_SHIFT, MAX_SHIFT + 1, n)
    return scales
