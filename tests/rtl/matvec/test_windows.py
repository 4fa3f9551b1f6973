"""Windowed commands and held codes on the unit, in lockstep with the twin: every cycle and byte."""

from dataclasses import replace

import numpy as np
import pytest

from npu.chip.isa import command
from npu.chip.status import Status
from npu.errors import MachineError
from npu.twin import matvec
from tests.rtl.matvec.matvec_bench import Bench, check, make_case, run_twin, small_params, sparse


def geometry(rng, params, most_columns):
    """WINDOW and POSITIONS of any kind, also absurd ones, with at most so many columns."""
    bus, sram = params.bus_bytes, params.sram_bytes
    ny, nx = (int(rng.choice([1, 1, 2, 3])) for _ in range(2))
    words = max(1, most_columns // bus // (ny * nx))
    if words * ny * nx * bus > most_columns:
        ny = nx = 1
    length = int(rng.integers(1, bus * min(words, 4) + 1))
    window = {
        "ny": ny,
        "nx": nx,
        "length": int(rng.choice([length, 1, length // bus * bus or bus])),
        "width": int(rng.choice([0, 1, sram, rng.integers(1, 200)])),
        "height": int(rng.choice([0, 1, 30000, rng.integers(1, 12)])),
        "x": int(rng.integers(-40, 40)),
        "y": int(rng.integers(-3, 3)),
        "dx": int(rng.choice([0, 1, bus, length, rng.integers(0, 40), 65535])),
        "dy": int(rng.integers(0, 3)),
        "pitch": int(rng.choice([0, 1, bus, -bus, rng.integers(-99, 99), -(1 << 23)])),
    }
    positions = {
        "count_x": int(rng.choice([1, 2, 3, 5])),
        "count_y": int(rng.choice([1, 1, 2, 3])),
        "a_x": int(rng.choice([0, 1, bus, rng.integers(-50, 50), (1 << 23) - 1])),
        "a_y": int(rng.choice([0, bus, rng.integers(-300, 300), -(1 << 23)])),
        "y_step": int(rng.choice([0, 1, 2, 255])),
        "dst_x": 2 * int(rng.integers(0, 20)),
        "dst_y": 2 * int(rng.integers(0, 40)),
    }
    return window, positions


def columns_of(window, params):
    return window["ny"] * window["nx"] * params.align(window["length"])


def windowed_case(rng, params, seed, density=0.3, rows=20, most_columns=96):
    """A case of random geometry in which no position reads what one before it has written."""
    while True:
        window, positions = geometry(rng, params, most_columns)
        weights = sparse(rng, rows, columns_of(window, params), density)
        case = make_case(
            params,
            weights,
            seed=seed,
            wide=bool(seed & 1),
            scales=(1, 40)[seed & 1],
            a=int(rng.integers(-80, params.sram_bytes) % (1 << 24)),
            windowed=1,
        )
        case.set_up = (command("WINDOW", **window), command("POSITIONS", **positions))
        try:
            run_twin(case)
        except MachineError as error:
            assert error.status in (None, Status.RECORD)
            continue
        return case


@pytest.mark.parametrize(
    ("lanes", "threads", "bus_bytes", "result_fifo", "entries"),
    [(4, 2, 8, 16, 512), (2, 3, 16, 9, 208), (1, 4, 32, 8, 512), (3, 2, 8, 8, 104)],
)
def test_windows_at_positions(lanes, threads, bus_bytes, result_fifo, entries):
    params = small_params(
        lanes=lanes,
        threads=threads,
        bus_bytes=bus_bytes,
        result_fifo=result_fifo,
        activation_entries=entries,
        sram_bytes=2048 - 32 * (lanes % 2),
    )
    rng = np.random.default_rng(lanes)
    cases = []
    for seed in range(14):
        # Few weights and many rows keep the requantiser busy over the positions.
        density, rows = [(0.3, 20), (0.02, 60), (1.0, 5), (0.1, 0)][seed % 4]
        cases.append(windowed_case(rng, params, seed, density, rows or 1))
        if rows == 0:
            base = cases[-1].cmd.bank * params.bus_bytes // 4
            cases[-1].banks[:, base : base + 2 * threads] = 0
    outcomes = Bench(params).run(cases)
    for case, outcome in zip(cases, outcomes, strict=True):
        check(case, outcome)


def test_held_codes():
    params = small_params()
    rng = np.random.default_rng(5)
    first = make_case(params, sparse(rng, 20, 40, 0.3), seed=1)
    held = matvec.block_of(first.cmd, first.param, None)
    values = first.cmd.values
    again = replace(first, cmd=command("MATVEC", **(values | {"held": 1})), held=held)
    # Of a block that is not there any more.
    gone = replace(again, param=again.param.copy())
    gone.param[values["block"] : values["block"] + 64] = 255
    bad = replace(first, cmd=command("MATVEC", **(values | {"block": 4})))
    away = replace(first, cmd=command("MATVEC", **(values | {"a": 4})))
    cases = [again, first, again, gone, bad, again, first, away, again, first, again]
    outcomes = Bench(params).run(cases)
    ok, table, address = Status.OK, Status.TABLE, Status.ADDRESS
    assert [outcome.status for outcome in outcomes] == [
        *[table, ok, ok, ok],
        *[table, table, ok],
        *[address, table, ok, ok],
    ]
    for case, outcome in zip(cases, outcomes, strict=True):
        if outcome.status == Status.OK:
            check(case, outcome)


def test_a_window_that_is_not_the_columns_is_refused():
    params = small_params()
    rng = np.random.default_rng(6)
    weights = sparse(rng, 8, 48, 0.3)
    good = {"ny": 3, "nx": 2, "length": 5, "width": 40, "height": 9, "dx": 3, "pitch": 11}
    once = command("POSITIONS", count_x=1, count_y=1)
    cases = []
    for change in (
        {},
        {"ny": 2},
        {"nx": 3},
        {"length": 9},
        {"ny": 255, "nx": 255, "length": 65535},
    ):
        case = make_case(params, weights, windowed=1)
        case.set_up = (command("WINDOW", **(good | change)), once)
        cases.append(case)
    odd = make_case(params, weights, windowed=1, wide=True)
    odd.set_up = (command("WINDOW", **good), command("POSITIONS", count_x=2, count_y=1, dst_y=1))
    outcomes = Bench(params).run([*cases, odd])
    assert [outcome.status for outcome in outcomes] == [Status.OK, *[Status.ADDRESS] * 5]
    check(cases[0], outcomes[0])
