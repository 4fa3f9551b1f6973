"""The tile dealer and damaged tiles: it takes, refuses and writes what the twin does."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from amaranth.sim import Simulator

from compiler.codec.tile import pack_tile, read_slots, sealed, split_words, tile_words
from npu.chip import timing
from npu.chip.params import load_params
from npu.chip.tile import (
    CHECKSUM_WORD,
    HEADER,
    HEADER_WORDS,
    head_words,
    header_field,
    most_front,
    tail_bits,
)
from npu.chip.weight_format import MAX_SLOT_ROWS, STREAM_BITS
from npu.twin.bus import BusTiming, no_reads, read_cycles
from npu.twin.tile import deal
from rtl.dma.tile import TileDealer

# (lanes, threads, bus bytes)
SHAPES = ((4, 2, 8), (3, 2, 32), (5, 3, 16), (1, 2, 8))
DAMAGED = 60
BANK = 2
LIMIT = 5000


def chip(lanes, threads, bus_bytes):
    changes = {"lanes": lanes, "threads": threads, "bus_bytes": bus_bytes, "bank_bytes": 1024}
    return load_params("tiny").model_copy(update=changes)


def tile_of(rng, params):
    """A tile of sections of any length that the banks hold; its fields are small."""
    bus_words = params.bus_bytes // 4
    room = params.bank_words - (BANK + 3) * bus_words - 2 * params.threads
    most, spread = int(rng.integers(room // 2)), int(rng.integers(2 * bus_words))
    sections = []
    for _ in range(params.lanes):
        size = most + int(rng.integers(spread + 1))
        section = rng.integers(0, 1 << 32, 2 * params.threads + size, np.uint32)
        for thread in range(params.threads):
            rows = int(rng.integers(0, 4))
            for word in range(2):
                bits = int(rng.integers(0, 900)) if rows else 0
                section[2 * thread + word] = (0 if word else rows << STREAM_BITS) | bits
        sections.append(section)
    return np.frombuffer(pack_tile(sections, params.threads, bus_words), np.uint32).copy()


def damage(rng, tile):
    """One number of the header changed, or one bit; of four, one keeps the checksum as it was."""
    header = int.from_bytes(tile[:HEADER_WORDS].tobytes(), "little")
    if rng.random() < 0.7:
        at, width = HEADER[str(rng.choice(list(HEADER)))]
        mask = (1 << width) - 1
        now = header >> at & mask
        new = rng.choice([0, now + 1, now - 1, mask, int(rng.integers(mask + 1))])
        header = header & ~(mask << at) | (int(new) & mask) << at
    else:
        header ^= 1 << int(rng.integers(96))
    tile[:HEADER_WORDS] = np.frombuffer(header.to_bytes(4 * HEADER_WORDS, "little"), np.uint32)
    if rng.random() < 0.75:
        tile[:] = sealed(tile)


ALWAYS = np.ones(1, np.bool_)


class Bench:
    """The unit in a simulator that is built once and reset for each tile."""

    def __init__(self, params):
        self.params = params
        self.unit = TileDealer(params)
        # To find a signal in an interface takes longer than to read it.
        port = self.unit.port
        self._port = port.en, port.lane, port.addr, port.data
        self.simulator = Simulator(self.unit)
        self.simulator.add_clock(1e-6)
        self.simulator.add_testbench(self._deal)
        self.has_run = False

    def dealt(self, tile, offers):
        """(refused, cycle in which it is dealt, banks) of a tile behind a reset."""
        bus_words = self.params.bus_bytes // 4
        self.tile, self.offers = tile, offers
        shape = self.params.lanes, self.params.bank_bytes // self.params.bus_bytes, bus_words
        self.banks = np.zeros(shape, np.uint32)
        if self.has_run:
            self.simulator.reset()
        self.has_run = True
        self.simulator.run()
        return self.refused, self.cycle, self.banks

    def _written(self, ctx):
        """What the unit writes in this cycle goes to the banks."""
        en, lane, addr, data = self._port
        if ctx.get(en):
            word = ctx.get(data).to_bytes(self.params.bus_bytes, "little")
            self.banks[ctx.get(lane), ctx.get(addr)] = np.frombuffer(word, np.uint32)

    async def _deal(self, ctx):
        unit, offers = self.unit, self.offers
        waiting, busy, error, en = unit.waits, unit.busy, unit.error, unit.en
        ctx.set(unit.bank, BANK)
        ctx.set(unit.start, 1)
        beats, has_beat, offered = list(self.tile.reshape(-1, self.banks.shape[-1])), False, False
        for cycle in range(LIMIT):
            offered = bool(beats) and (offered or (cycle > 0 and offers[cycle % len(offers)]))
            waits = ctx.get(waiting)
            if not beats and not has_beat and (not ctx.get(busy) or ctx.get(error)):
                break
            self._written(ctx)
            await ctx.tick()
            if not cycle:
                ctx.set(unit.start, 0)
            if waits:
                continue
            if has_beat != offered:
                has_beat = offered
                ctx.set(en, bool(has_beat))
            if offered:
                ctx.set(unit.data, int.from_bytes(beats.pop(0).tobytes(), "little"))
                offered = False
        assert cycle < LIMIT - 1
        self._written(ctx)
        await ctx.tick()
        self.refused = bool(
            ctx.get(unit.error) or not ctx.get(unit.complete) or ctx.get(unit.damaged)
        )
        self.cycle = cycle


@cache
def bench_of(params):
    """Building the simulator takes longer than most tiles do."""
    return Bench(params)


def dealt(params, tiles, offers=ALWAYS):
    """(refused, cycle in which it is dealt, banks) of each tile, on the unit with a reset each.

    The tile starts in cycle 0, its beats are on offer from cycle 1 on; offers : bool by cycle
    modulo length, when a further beat is.
    """
    bench = bench_of(params)
    return [bench.dealt(tile, offers) for tile in tiles]


def expected(params, tile, offers=ALWAYS):
    """What the twin says: (what it found, cycle in which it is dealt, banks)."""
    bus = params.bus_bytes
    banks = np.zeros((params.lanes, params.bank_bytes // bus, bus // 4), np.uint32)
    found = deal(tile, banks, BANK, params.threads)
    quick = BusTiming(bus, 256, 64, latency=1, gap=1)
    beats = len(tile) * 4 // bus
    reads = no_reads(quick.outstanding)
    _, cycle = read_cycles(reads, 0, 0, 0, beats, quick, ALWAYS, offers, found.dealing)
    return found, cycle, banks


def test_fields_may_reach_up_to_the_loose_words():
    """Behind the last field there is no room for another, and none is needed."""
    params = chip(8, 2, 16)
    for seed in range(1000):
        tile = tile_of(np.random.default_rng(seed), params)
        found, _, banks = expected(params, tile)
        loose = found.dealing.cycles - timing.deal(params.lanes, params.threads, 0)
        header = int.from_bytes(tile[:HEADER_WORDS].tobytes(), "little")
        widths = [header_field(header, f"{kind}_width") for kind in ("rows", "run", "value")]
        lane = header_field(header, "length_width") + tail_bits(4) + params.threads * sum(widths)
        bits = HEADER_WORDS * 32 + params.lanes * lane
        full = -(-bits // 32) + loose == 4 * header_field(header, "front")
        if full and -(-(bits + tail_bits(4)) // 32) > -(-bits // 32):
            break
    else:
        pytest.fail("no tile is as full")
    ((refused, _, written),) = dealt(params, [tile])
    assert not refused
    np.testing.assert_array_equal(written, banks)


def test_a_beat_too_many_is_seen_however_late_it_comes():
    params = chip(*SHAPES[0])
    tile = tile_of(np.random.default_rng(2), params)
    longer = sealed(np.concatenate([tile, np.zeros(params.bus_bytes // 4, np.uint32)]))
    late = np.arange(LIMIT) <= len(tile) * 4 // params.bus_bytes + 200
    late[-500:] = True
    ((refused, cycle, _),) = dealt(params, [longer], late)
    found, expected_cycle, _ = expected(params, longer, late)
    assert refused
    assert found.fault == 5
    assert cycle == expected_cycle


@pytest.mark.parametrize("slow", [False, True], ids=["fast bus", "slow bus"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_damaged_tiles_are_refused_alike(shape, slow):
    rng = np.random.default_rng(sum(shape))
    params = chip(*shape)
    tiles = [tile_of(rng, params) for _ in range(DAMAGED // 2 if slow else DAMAGED)]
    for tile in tiles[3:]:
        damage(rng, tile)
    # On a slow bus a tile may be dealt before a beat too many comes.
    offers = ALWAYS
    if slow:
        offers = np.zeros(997, np.bool_)
        offers[np.cumsum(np.random.default_rng(1).choice([1, 1, 1, 1, 40], 90))] = True
    faults = set()
    for tile, (refused, cycle, banks) in zip(tiles, dealt(params, tiles, offers), strict=True):
        found, expected_cycle, expected_banks = expected(params, tile, offers)
        faults.add(found.fault)
        assert refused == (found.fault != 0), found.problem
        assert cycle == expected_cycle, found.problem
        if not found.fault:
            np.testing.assert_array_equal(banks, expected_banks)
            bus_words = params.bus_bytes // 4
            heads = params.lanes * head_words(params.threads, bus_words)
            tails = found.dealing.cycles - timing.deal(params.lanes, params.threads, heads)
            assert 0 <= tails <= params.lanes * (bus_words - 1)
    assert {0, 2, 3, 9} <= faults


def with_number(tile, name, value):
    """The tile with another number in its header, and the checksum of that."""
    header = int.from_bytes(tile[:HEADER_WORDS].tobytes(), "little")
    at, width = HEADER[name]
    header = header & ~((1 << width) - 1 << at) | value << at
    start = np.frombuffer(header.to_bytes(4 * HEADER_WORDS, "little"), np.uint32)
    return sealed(np.concatenate([start, tile[HEADER_WORDS:]]))


def edited(params, name, value, seed=1):
    return with_number(tile_of(np.random.default_rng(seed), params), name, value)


def judged(params, tile):
    """The twin's fault, after the unit has dealt the tile as the twin does, in as many cycles."""
    found, expected_cycle, expected_banks = expected(params, tile)
    ((refused, cycle, banks),) = dealt(params, [tile])
    assert refused == (found.fault != 0), found.problem
    assert cycle == expected_cycle, found.problem
    if not found.fault:
        np.testing.assert_array_equal(banks, expected_banks)
    return found.fault


@pytest.mark.parametrize(
    ("name", "value", "fault"),
    [
        ("front", 6, 2),
        ("front", 40, 2),
        ("length_width", 17, 3),
        ("rows_width", 13, 3),
        ("run_width", 21, 3),
        ("value_width", 21, 3),
        ("shortest", 0, 5),
        ("shortest", 40, 5),
        ("run_width", 20, 6),
        ("value_width", 20, 6),
        ("least_run", 0xFFFFF, 8),
    ],
)
def test_each_fault(name, value, fault):
    params = chip(12, 2, 8)
    tile = edited(params, name, value)
    assert judged(params, tile) in (fault, 4 if name == "shortest" else fault)
    assert not expected(params, tile)[2].any()


def test_a_section_outside_the_bank():
    params = chip(4, 2, 8)
    tile = tile_of(np.random.default_rng(1), params)
    assert judged(params.model_copy(update={"bank_bytes": 256}), tile) == 7


def section(rows, bits, words, params):
    """A section of `words` words behind a directory whose slots are all alike."""
    slot = [rows << STREAM_BITS | bits, bits]
    return np.array(slot * params.threads + [*range(words)], np.uint32)


def test_a_slot_has_so_many_rows_and_no_more():
    params, least = chip(3, 2, 8), 100
    sections = [section(rows, 5, 9, params) for rows in (least, MAX_SLOT_ROWS, least)]
    tile = np.frombuffer(pack_tile(sections, params.threads, 2), np.uint32)
    assert judged(params, tile) == 0
    assert judged(params, with_number(tile, "least_rows", least + 1)) == 8


def test_a_front_is_so_long_and_no_longer():
    params = chip(3, 2, 8)
    tile = tile_of(np.random.default_rng(1), params)
    front = header_field(int.from_bytes(tile[:HEADER_WORDS].tobytes(), "little"), "front")
    most = most_front(params.lanes, params.threads, 2)
    fields = HEADER_WORDS + 20  # more than they take
    for longer, fault in ((most, 0), (most + 1, 2)):
        zeros = np.zeros(2 * (longer - front), np.uint32)
        wide = np.concatenate([tile[:fields], zeros, tile[fields:]])
        assert judged(params, with_number(wide, "front", longer)) == fault


def crowded(params, gap):
    """A tile with so many zeros between fields and loose words, and where its fields end."""
    bus_words = params.bus_bytes // 4
    for words, spread in product(range(16, 20), range(1, 200)):
        # Heads of four words and tails of any length.
        sections = [section(9, 300 + lane * spread, words, params) for lane in range(params.lanes)]
        slots, sizes = read_slots(sections, params.threads), np.array([len(s) for s in sections])
        whole, fields = tile_words(slots, sizes, params.lanes, bus_words)
        bodies, tails = split_words(sizes, params.threads, bus_words)
        loose = params.lanes * head_words(params.threads, bus_words) + tails.sum()
        if whole - bodies.sum() * bus_words - fields - loose == gap:
            tile = pack_tile(sections, params.threads, bus_words)
            return np.frombuffer(tile, np.uint32), fields
    raise AssertionError(f"no tile has {gap} zeros there")


def test_fields_and_loose_words_may_touch():
    params = chip(7, 2, 32)
    assert judged(params, crowded(params, 0)[0]) == 0


@pytest.mark.parametrize("shared", [1, 3])
def test_the_last_loose_words_may_not_be_the_fields(shared):
    params = chip(7, 2, 32)
    bus_words = params.bus_bytes // 4
    tile, fields = crowded(params, bus_words - shared)
    assert judged(params, tile) == 0
    # The front is a bus word shorter than fields and loose words are together.
    shorter = np.concatenate([tile[:fields], tile[fields + bus_words :]])
    header = int.from_bytes(tile[:HEADER_WORDS].tobytes(), "little")
    front = header_field(header, "front") - 1
    assert judged(params, with_number(shorter, "front", front)) == 6


@pytest.mark.parametrize("shape", [*SHAPES, (3, 2, 64)], ids=str)
def test_a_flipped_bit_is_told_in_no_other_cycle(shape):
    """In every word of a tile, and some of several words; a tile behind a damaged one is sound."""
    rng, params = np.random.default_rng(sum(shape)), chip(*shape)
    tile = tile_of(rng, params)
    sound = dealt(params, [tile])[0]
    assert not sound[0]
    told = set()
    for word in range(0, len(tile), max(1, len(tile) // 40)):
        broken = tile.copy()
        broken[word] ^= np.uint32(1 << int(rng.integers(32)))
        for other in rng.integers(len(tile), size=rng.integers(2) * 2):
            broken[other] ^= np.uint32(rng.integers(1 << 32))
        fault = judged(params, broken)
        told.add(fault)
        assert fault
    assert 9 in told


def test_the_checksum_alone():
    params = chip(*SHAPES[0])
    tile = tile_of(np.random.default_rng(5), params)
    assert judged(params, tile) == 0
    for bit in range(32):
        broken = tile.copy()
        broken[CHECKSUM_WORD] ^= np.uint32(1 << bit)
        assert judged(params, broken) == 9
