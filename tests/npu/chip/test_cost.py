"""The cost model alone: no matrix, no memories, no machine."""

import numpy as np

from npu.chip import cost, timing
from npu.chip.isa import OPCODES, command
from npu.chip.lanes import ALL_DONE, ENDLESS, NEVER, Turns
from npu.chip.params import load_params
from npu.chip.weight_format import LUT_BYTES, PARAM_WORD

PARAMS = load_params("tiny")
COLD = cost.Held()


def turns(ends=()):
    """All rows in the first slot."""
    slots = PARAMS.lanes * PARAMS.threads
    first = np.full(slots + 1, len(ends))
    first[0] = 0
    return Turns(first, np.array(ends, np.int64), np.full(slots, NEVER))


def product(columns, ends=(), scales=1, most_cycles=NEVER):
    streams = cost.Streams([(1, 1)], scales, turns(ends))
    return cost.product(command("MATVEC", columns=columns), COLD, PARAMS, streams, most_cycles)


def test_a_product_takes_as_long_as_its_parts():
    found = product(16, [4, 9])
    last = PARAMS.threads * 9 + timing.LANE_PIPELINE + timing.REQUANTISE + 1
    assert (found.run.cycles, found.run.stopped) == (last, ALL_DONE)
    load = timing.load([(1, 1)], 1, 16 // PARAMS.bus_bytes, PARAMS.threads)
    assert found.cycles == timing.MATVEC_START + load + last + timing.MATVEC_END


def test_activations_load_beside_the_codes():
    few, many = product(8), product(PARAMS.activation_entries)
    assert few.run.cycles == many.run.cycles == 0
    load = PARAMS.activation_entries // PARAMS.bus_bytes
    assert many.cycles == timing.MATVEC_START + load + timing.MATVEC_END > few.cycles


def test_a_scale_of_its_own_costs_a_row_nothing():
    ends = list(range(1, 60))
    assert product(16, ends, scales=0).run.cycles == product(16, ends).run.cycles


def test_a_limit_stops_the_lanes():
    assert product(16, [4, 9], most_cycles=10).run.stopped == ENDLESS


def test_held_codes_take_no_time():
    streams = cost.Streams([(64, 64)] * 4, 1, turns([4]))
    found = [
        cost.product(command("MATVEC", columns=16, held=held), COLD, PARAMS, streams).cycles
        for held in (0, 1)
    ]
    less = timing.load_block([(64, 64)] * 4, 1) - timing.prime(PARAMS.threads)
    assert found[0] - found[1] == less > 0


def test_scalar_commands():
    costs = {name: cost.scalar(command(name), COLD) for name in ("HALT", "ADD", "BEQ", "MUL")}
    assert costs == {"HALT": 1, "ADD": 1, "BEQ": 1, "MUL": 2}


def test_vector_commands():
    table = timing.VECTOR_START + LUT_BYTES // PARAM_WORD
    assert cost.vector(command("TABLE"), COLD, PARAMS) == table
    n = 3 * PARAMS.vector_elements + 1
    for name, opcode in OPCODES.items():
        if opcode.has("n"):
            found = cost.vector(command(name, n=n), COLD, PARAMS)
            assert found == timing.vector(name, 4)
            held = cost.Held(repeats=5)
            found = cost.vector(command(name, n=n, looped=1), held, PARAMS)
            assert found == timing.vector(name, 5 * n)
    assert cost.vector(command("VLOOP"), COLD, PARAMS) == timing.VECTOR_LOOP
