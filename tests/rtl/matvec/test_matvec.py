"""The matrix-vector unit in lockstep with `npu.twin.matvec`: cycles, counters, every byte."""

from dataclasses import replace

import numpy as np
import pytest

from npu.chip.isa import command
from npu.chip.status import Status
from npu.chip.weight_format import RESERVED_AT, SETS, VERSION_AT, directory_words
from npu.errors import MachineError
from tests.rtl.matvec.matvec_bench import (
    Bench,
    check,
    make_case,
    run_twin,
    section_words,
    small_params,
    sparse,
)


def shapes(rng):
    """Weights of every kind that the lanes treat differently."""
    yield sparse(rng, 37, 60, 0.25)
    yield sparse(rng, 9, 90, 1.0)
    yield sparse(rng, 30, 40, 0.03)  # most rows empty
    yield sparse(rng, 45, 1, 0.7)  # one column
    yield sparse(rng, 3, 70, 0.5)  # fewer rows than slots
    yield np.zeros((17, 33), np.int8)
    yield np.full((20, 16), -7, np.int8)  # codes without bits
    yield (sparse(rng, 50, 24, 0.08) // 32).astype(np.int8)


@pytest.mark.parametrize(
    ("lanes", "threads", "bus_bytes", "result_fifo"),
    [(1, 2, 8, 8), (4, 2, 8, 16), (2, 3, 16, 9), (3, 4, 8, 8), (1, 8, 32, 12)],
)
def test_equals_the_twin(lanes, threads, bus_bytes, result_fifo):
    params = small_params(
        lanes=lanes, threads=threads, bus_bytes=bus_bytes, result_fifo=result_fifo
    )
    rng = np.random.default_rng(lanes + 16 * threads)
    cases = []
    for i, weights in enumerate(shapes(rng)):
        scales = (1, 5, 16, 40)[i % 4]
        fields = {"a": i * bus_bytes} | ({"a_zero": 0} if i % 3 else {})
        cases.append(
            make_case(
                params,
                weights,
                scales=scales,
                wide=bool(i & 1),
                bank=i,
                seed=i,
                sets=SETS[(i + lanes) % 3],
                **fields,
            )
        )
    outcomes = Bench(params).run(cases)
    counted = [check(case, outcome) for case, outcome in zip(cases, outcomes, strict=True)]
    assert any(work.stalled for work in counted) or lanes == 1 or result_fifo == 16
    assert any(outcome.counted["gated"] for outcome in outcomes)


def test_nothing_to_do_takes_its_loading_time():
    params = small_params()
    case = make_case(params, sparse(np.random.default_rng(0), 4, 8, 0.5))
    base = case.cmd.bank * params.bus_bytes // 4
    case.banks[:, base : base + directory_words(params.threads)] = 0
    (outcome,) = Bench(params).run([case])
    assert check(case, outcome).rows == 0


def corrupted(case, place, bit, what):
    """`case` with one bit flipped in its `what`."""
    if what == "bank":
        case.banks[0, place] ^= np.uint32(1 << bit)
    else:
        case.param[place] ^= 1 << bit
    return case


def test_damage_ends_in_an_error_wherever_the_twin_sees_one():
    params = small_params()
    rng = np.random.default_rng(11)
    weights = sparse(rng, 24, 40, 0.2)
    cases = []
    for i in range(36):
        case = make_case(params, weights, seed=i, sets=SETS[i % 3])
        base = case.cmd.bank * params.bus_bytes // 4
        place, what = [
            (base + rng.integers(0, directory_words(params.threads)), "bank"),
            (base + rng.integers(0, section_words(case)[0] + 1), "bank"),
            (case.cmd.block + rng.integers(0, 100), "param"),
            (case.cmd.rows + rng.integers(0, 8 * len(weights)), "param"),
        ][i % 4]
        cases.append(corrupted(case, int(place), int(rng.integers(0, 8)), what))
    outcomes = Bench(params).run(cases, limit=4000)
    seen = set()
    for case, outcome in zip(cases, outcomes, strict=True):
        try:
            run_twin(case)
        except MachineError as error:
            assert outcome.status == error.status
            seen.add(outcome.status)
        else:
            check(case, outcome)
    assert seen == {Status.TABLE, Status.STREAM, Status.RECORD}


def test_a_command_out_of_range_is_refused_and_the_next_one_runs():
    params = small_params()
    rng = np.random.default_rng(3)
    good = make_case(params, sparse(rng, 10, 24, 0.4))
    values = good.cmd.values
    wrong = [
        {"columns": 0},
        {"columns": params.activation_entries + 1},
        {"a": 4},
        {"a": params.sram_bytes - 8},
        {"dst": 1025, "dst_type": 1},
        {"dst": params.sram_bytes + 2},
        {"bank": params.bank_bytes // params.bus_bytes - 1},
        {"rows": values["rows"] + 4},
        {"rows": params.param_bytes + 8},
    ]
    tables = [{"block": values["block"] + 4}, {"block": params.param_bytes - 16}]
    cases, expected = [], []
    for change in [*wrong, *tables]:
        cmd = command("MATVEC", **(values | change))
        cases += [replace(good, cmd=cmd), good]
        expected += [Status.ADDRESS if change in wrong else Status.TABLE, Status.OK]
    old = make_case(params, sparse(rng, 10, 24, 0.4))
    old.param[old.cmd.block + VERSION_AT] += 1
    reserved = [make_case(params, sparse(rng, 10, 24, 0.4)) for _ in range(3)]
    for bit, case in zip((0, 4, 7), reserved, strict=True):
        case.param[case.cmd.block + RESERVED_AT] = 1 << bit
    behind = command("MATVEC", **(values | {"rows": params.param_bytes - 16}))
    records = replace(good, cmd=behind)
    last = [old, *reserved, records, good]
    outcomes = Bench(params).run([*cases, *last])
    assert [outcome.status for outcome in outcomes] == [
        *expected,
        *[Status.TABLE] * 4,
        Status.RECORD,
        Status.OK,
    ]
    for case, outcome in zip([*cases, *last], outcomes, strict=True):
        if outcome.status == Status.OK:
            check(case, outcome)
