"""Placement of the weights: all stay, or a part of them and two windows for the rest."""

from itertools import pairwise

import pytest

from compiler import compile_model, load_model
from compiler.passes import verify, weights
from compiler.passes.residency import tile_commands
from compiler.passes.weights import plan_weights
from npu.chip.isa import decode_program
from npu.errors import CapacityError
from npu.runtime.header import RESET
from tests.compiler.passes.made import VECTORS, chip, matrix, module_of


def test_all_resident_where_everything_fits():
    module = module_of(matrix(50, 60, 1), matrix(60, 50, 20, seed=1))
    plan = plan_weights(module, chip())
    verify.weights(plan, chip())
    assert all(placed.resident for placed in plan.matrices.values())
    assert plan.stream_banks == (0, 0)
    banks = [tile.bank for placed in plan.matrices.values() for tile in placed.tiles]
    assert banks == sorted(set(banks))


def tiles_of(plan, stays):
    return [
        tile for placed in plan.matrices.values() for tile in placed.tiles if tile.stays == stays
    ]


def test_a_part_stays_where_not():
    params = chip(bank_bytes=1024)
    plan = plan_weights(module_of(matrix(200, 60, 1, seed=1), matrix(96, 40, 1)), params)
    verify.weights(plan, params)
    stays, streamed = tiles_of(plan, True), tiles_of(plan, False)
    low, high = plan.stream_banks
    assert sum(tile.tile.bank_words for tile in stays) == low
    assert max(tile.tile.bank_words for tile in streamed) == high - low
    assert 2 * high - low <= params.bank_bus_words
    # All records lie beside one another.
    assert not plan.streams_records
    tiles = [tile for placed in plan.matrices.values() for tile in placed.tiles]
    for tile, following in pairwise(tiles):
        assert tile.records + len(tile.tile.records) == following.records
    assert tiles[-1].records + len(tiles[-1].tile.records) <= len(plan.constants)


def test_windows_of_records_where_not_all_of_them_fit():
    params = chip(bank_bytes=1024, param_bytes=2048)
    module = module_of(matrix(200, 60, 200, seed=1))
    plan = plan_weights(module, params)
    verify.weights(plan, params)
    assert plan.streams_records and not tiles_of(plan, True)
    first, second = plan.stream_records
    assert len(plan.constants) <= first < second
    records = [len(tile.tile.records) for tile in tiles_of(plan, False)]
    assert max(records) <= second - first
    assert 2 * second - first <= params.param_bytes


@pytest.mark.parametrize(
    ("scales", "changes", "foreseen"),
    [
        (1, {"bank_bytes": 1024, "param_bytes": 2400}, True),
        (1, {"bank_bytes": 1024, "param_bytes": 8192}, False),
        (200, {"bank_bytes": 65536, "param_bytes": 2048}, False),
        (200, {"bank_bytes": 1024, "param_bytes": 512}, False),
    ],
    ids=["foreseen", "records fit", "tiles depend on the block", "the largest block fills it"],
)
def test_what_only_streams_is_packed_once(scales, changes, foreseen, monkeypatch):
    params = chip(**changes)
    module = module_of(matrix(300, 60, scales, seed=1))
    passes = []
    pack_each = weights.pack_each

    def counted(*arguments):
        passes.append(1)
        return pack_each(*arguments)

    monkeypatch.setattr(weights, "pack_each", counted)
    plan = plan_weights(module, params)
    assert (len(passes) == 1) == foreseen
    # And nothing else comes of it.
    monkeypatch.setattr(weights, "_foreseen", lambda *_: None)
    other = plan_weights(module, params)
    assert contents(plan) == contents(other)


def contents(plan):
    tiles = [
        (tile.tile.image, tile.tile.records, tile.stays, tile.bank, tile.records)
        for placed in plan.matrices.values()
        for tile in placed.tiles
    ]
    return tiles, plan.constants, plan.stream_banks, plan.stream_records, plan.streams_records


@pytest.mark.parametrize(
    ("model", "changes", "some_stay", "records_come"),
    [
        ("joint", {}, True, False),
        ("fc_wide", {"lanes": 16, "bank_bytes": 8192, "param_bytes": 65536}, True, False),
        ("joint", {"bank_bytes": 1024}, False, False),
        ("joint", {"bank_bytes": 1024, "param_bytes": 4096}, False, True),
    ],
    ids=["all", "a part", "none", "none, nor records"],
)
def test_a_header_says_what_the_program_loads(model, changes, some_stay, records_come):
    """Of tiles and bytes, those that boot loads and no other start, and those of a call."""
    params = chip(**({"activation_entries": 1024, "memory_bytes": 1 << 24} | changes))
    image = compile_model(load_model(VECTORS / f"{model}.tflite"), params)
    layers, program = image.header.layers, decode_program(image.program)

    def bytes_of(opcode, commands):
        found = {c.ext: c.beats * params.bus_bytes for c in commands if c.opcode.name == opcode}
        return list(found.values())

    boot = bytes_of("LOAD_BANK", program[: image.header.entry(RESET).pc])
    call = program[image.header.invoke.pc :]
    streamed, records = bytes_of("LOAD_BANK", call), bytes_of("LOAD_PARAM", call)
    assert len(boot) == sum(info.resident_tiles for info in layers)
    assert sum(boot) == sum(info.resident_bytes for info in layers)
    assert len(boot) + len(streamed) == sum(info.tiles for info in layers)
    assert sum(streamed) + sum(records) == sum(info.streamed_bytes for info in layers)
    assert (bool(boot), bool(records)) == (some_stay, records_come)
    # And the commands of tiles are as many as the search for their sizes takes them to be.
    of_tiles = [c for c in call if c.opcode.name in ("MATVEC", "LOAD_BANK", "LOAD_PARAM", "WAIT")]
    each = tile_commands(True), tile_commands(False, records_come)
    assert len(of_tiles) == len(boot) * each[0] + len(streamed) * each[1]


def test_too_many_columns():
    with pytest.raises(CapacityError, match=r"m: 1000 columns, .* 512 .activation_entries 512"):
        plan_weights(module_of(matrix(2, 1000, 1)), chip(activation_entries=512))
    wide = matrix(1, 65536, 1, density=0.001)
    with pytest.raises(CapacityError, match=r"m: 65536 columns, a lane .* takes 65535"):
        plan_weights(module_of(wide), chip(activation_entries=65536))


def test_parameter_memory_for_the_tables():
    matrices = [matrix(2, 40, 1, seed=i) for i in range(6)]
    with pytest.raises(CapacityError, match=r"code and look-up tables take \d+ bytes"):
        plan_weights(module_of(*matrices), chip(param_bytes=256))
