"""Commands that store int32 sums, or add them, in lockstep with the twin: every cycle and byte."""

from dataclasses import replace

import numpy as np

from npu.chip.isa import command
from npu.chip.status import Status
from npu.errors import MachineError
from tests.rtl.matvec.matvec_bench import Bench, check, make_case, run_twin, small_params, sparse
from tests.rtl.matvec.test_windows import columns_of, geometry

KINDS = ((1, 0), (0, 1), (1, 1))


def summed(case, kind, at):
    """The case with flags; the sum of the first element lies at `at`."""
    raw, add = kind
    sums = (at - 4 * case.cmd.dst) % (1 << 24)
    cmd = command("MATVEC", **(case.cmd.values | {"raw": raw, "add": add, "sums": sums}))
    return replace(case, cmd=cmd)


def windowed(rng, params, seed):
    """A case in which no row needs what another one of its position writes."""
    while True:
        window, positions = geometry(rng, params, 96)
        density, rows = [(0.3, 12), (0.02, 12), (1.0, 5)][seed % 3]
        positions |= {"dst_x": 24, "dst_y": 24 * positions["count_x"]}
        case = make_case(
            params,
            sparse(rng, rows, columns_of(window, params), density),
            seed=seed,
            wide=bool(seed & 1),
            a=int(rng.integers(-80, params.sram_bytes) % (1 << 24)),
            windowed=1,
        )
        case.set_up = (command("WINDOW", **window), command("POSITIONS", **positions))
        case = summed(case, KINDS[seed // 2 % 3], 4 * int(rng.integers(100)))
        try:
            run_twin(case)
        except MachineError:
            continue
        return case


def test_vectors_and_windows():
    params = small_params(lanes=3, bus_bytes=16, result_fifo=9, activation_entries=208)
    rng = np.random.default_rng(3)
    cases = []
    for seed in range(6):
        weights = sparse(rng, int(rng.integers(1, 30)), int(rng.integers(1, 60)), 0.2)
        scales = (1, 40)[seed & 1]
        case = make_case(params, weights, seed=seed, wide=bool(seed & 1), scales=scales)
        cases.append(summed(case, KINDS[seed // 2], 96 + 4 * seed))
    cases += [windowed(rng, params, seed) for seed in range(6)]
    outcomes = Bench(params).run(cases)
    for case, outcome in zip(cases, outcomes, strict=True):
        check(case, outcome)


def test_sums_out_of_place_are_refused_and_the_next_command_runs():
    params = small_params()
    good = make_case(params, sparse(np.random.default_rng(3), 10, 24, 0.4))
    last = params.sram_bytes - 4 * 10
    cases = [summed(good, kind, at) for kind in KINDS for at in (last, last + 4, -4, 2, 128)]
    outcomes = Bench(params).run(cases)
    ok, wrong = Status.OK, Status.RECORD
    assert [outcome.status for outcome in outcomes] == 3 * [ok, wrong, wrong, Status.ADDRESS, ok]
    for case, outcome in zip(cases, outcomes, strict=True):
        if outcome.status == Status.OK:
            check(case, outcome)
