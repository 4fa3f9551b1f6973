"""Looped vector commands beside three plain loops, and what they refuse."""

from contextlib import nullcontext
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.chip import timing
from npu.chip.isa import OPCODES, OPERANDS, Command, command, encode
from npu.chip.limit import Budget
from npu.chip.opcode import ElementType
from npu.chip.status import Status
from npu.errors import MachineError
from npu.twin import walk
from npu.twin.machine import Machine
from npu.twin.vector import NUMPY
from tests import naive
from tests.lockstep.walks import random_walks
from tests.npu.twin.programs import chip, failure, machine

LOOPED = [name for name, opcode in OPCODES.items() if opcode.has("looped")]
ROUNDS = 40
CHIP = chip(sram_bytes=1024)


def random_fields(rng: np.random.Generator, name: str) -> dict[str, int]:
    """Values for what is no place, no size and no flag."""
    values = {}
    for field in OPCODES[name].fields:
        if field.name not in (*OPERANDS, "n", "looped", "scaled"):
            low, high = field.range
            values[field.name] = int(rng.integers(low, high + 1))
        if field.name in ("shift", "a_shift", "b_shift"):
            values[field.name] = int(rng.integers(-8, 2)) if field.signed else 3
    if "lo" in values:
        values["lo"], values["hi"] = sorted((values["lo"], values["hi"]))
    return values


def element_by_element(
    sram: np.ndarray, cmd: Command, loop: Command, table: np.ndarray
) -> tuple[np.ndarray, int]:
    """SRAM and register behind a looped command, each element as a plain command of one."""
    name, kinds = cmd.opcode.name, dict(zip(OPERANDS, cmd.operand_types, strict=True))
    sram, best, index, total = sram.copy(), -129, 0, 0
    rounds = product(range(loop.count_2), range(loop.count_1), range(cmd.n))
    for at, (i2, i1, i0) in enumerate(rounds):
        places = {}
        for key, kind in kinds.items():
            if kind is not None:
                steps = (loop.values[f"{key}_{level}"] for level in range(3))
                start = cmd.values[key] + sum(
                    i * step for i, step in zip((i0, i1, i2), steps, strict=True)
                )
                places[key] = slice(start, start + kind.n_bytes)
        if name == "VARGMAX":
            value = int(sram[places["a"]].view(np.int8)[0])
            best, index = (value, at) if value > best else (best, index)
            continue
        # On a chip with the operands side by side, where any plain command may have them.
        if name == "VDOT":
            a, b = (int(sram[places[key]].view(NUMPY[kinds[key]])[0]) for key in "ab")
            total = (total if i0 else 0) + (a - cmd.a_zero) * (b - cmd.b_zero)
            scale = cmd.multiplier, cmd.shift, cmd.dst_zero, cmd.lo, cmd.hi
            value = np.array(naive.requantize(total, *scale)).astype(NUMPY[kinds["dst"]])
            if i0 == cmd.n - 1:
                start = places["dst"].start - i0 * loop.dst_0
                sram[start : start + value.nbytes] = np.frombuffer(value.tobytes(), np.uint8)
            continue
        same = {"looped": 0, "n": 1} | {key: 64 * OPERANDS.index(key) for key in places}
        made = Machine(CHIP, 4096, encode(command(name, **(cmd.values | same))) + encode(HALT))
        made.table[:] = table
        for key, place in places.items():
            if key != "dst":
                made.sram[same[key] :][: place.stop - place.start] = sram[place]
        made.run(0)
        size = places["dst"].stop - places["dst"].start
        sram[places["dst"]] = made.sram[same["dst"] :][:size]
    return sram, index


HALT = command("HALT")


@pytest.mark.parametrize("name", LOOPED)
def test_equals_plain_commands_of_one_element(name):
    rng = np.random.default_rng(LOOPED.index(name))
    ran = 0
    while ran < ROUNDS:
        values = random_fields(rng, name)
        loop, places = random_walks(rng, CHIP, name, values, most=60)
        cmd = command(name, **values | places, looped=1)
        made = machine(command("VLOOP", **loop), cmd, params=CHIP)
        made.sram[:] = rng.integers(0, 256, len(made.sram))
        made.table[:] = rng.integers(-128, 128, len(made.table))
        before, table = made.sram.copy(), made.table.copy()
        retired = []
        made.observer = lambda retire, _, to=retired: to.append(retire)
        made.run(0)
        expected, index = element_by_element(before, cmd, command("VLOOP", **loop), table)
        np.testing.assert_array_equal(made.sram, expected, f"{cmd} {loop}")
        if name == "VARGMAX" and cmd.rd:
            assert made.registers[cmd.rd] == index
        total = cmd.n * loop["count_1"] * loop["count_2"]
        assert retired[0].end - retired[0].start + 1 == timing.VECTOR_LOOP
        assert retired[1].end - retired[1].start + 1 == timing.vector(name, total)
        assert made.events.vector_elements == total
        ran += 1


def test_pieces_change_nothing(monkeypatch):
    """What is too long to be handled at once is handled in pieces."""
    rng = np.random.default_rng(5)
    for name in LOOPED:
        values = random_fields(rng, name)
        loop, places = random_walks(rng, CHIP, name, values, most=200)
        found = []
        for piece in (1 << 16, 7):
            monkeypatch.setattr(walk, "PIECE", piece)
            cmd = command(name, **values | places, looped=1)
            made = machine(command("VLOOP", **loop), cmd, params=CHIP)
            made.sram[:] = np.random.default_rng(1).integers(0, 256, len(made.sram))
            retired = []
            made.observer = lambda retire, _, to=retired: to.append(retire)
            made.run(0)
            found.append((made.sram.tobytes(), made.registers, retired))
        assert found[0] == found[1]


def test_a_loop_is_held_across_starts_and_errors():
    loop = command("VLOOP", count_1=2, count_2=1, a_0=1, a_1=4, dst_0=1, dst_1=2)
    copy = command("VCOPY", a=0, dst=100, n=2, looped=1)
    made = machine(loop, HALT, copy, HALT, command("VLOOP", count_1=1), params=CHIP)
    made.sram[:6] = range(1, 7)
    made.run(0)
    with pytest.raises(MachineError, match="a loop of no rounds"):
        made.run(4)
    made.reset()
    made.run(2)
    assert made.sram[100:105].tolist() == [1, 2, 5, 6, 0]


BAD = {
    "n": (dict(n=0), {}, "a vector of no elements"),
    "low": (dict(a=2), dict(a_0=-1), "elements at -0x1 to 0x3 lie outside SRAM"),
    "high": (dict(dst=1000), dict(dst_0=8), "elements at 0x3e8 to 0x401 lie outside SRAM"),
    "outer": (dict(a=8), dict(count_1=2, a_1=-12), "elements at -0x4 to 0xc lie outside SRAM"),
    "plane": (dict(a=8), dict(count_2=2, a_2=1 << 20), "lie outside SRAM"),
    "far": (dict(a=1 << 23), {}, "elements at 0x800000 to 0x800004 lie outside SRAM"),
    "odd": (dict(a=1, a_type=1), dict(a_0=2, dst_0=2), "not all addresses are multiples of 2"),
    "odd step": (dict(a=2, a_type=1), dict(a_0=1, dst_0=2), "not all addresses are multiples of 2"),
    "odd row": (dict(a_type=1, n=1), dict(count_1=2, a_1=3), "not all addresses are multiples of"),
    "order": (dict(dst=2), dict(a_0=1), "an element writes what a later one reads"),
    "repeat": (dict(dst=0, n=2), dict(a_0=0, dst_0=0), "an element writes what a later one reads"),
}


@pytest.mark.parametrize("what", BAD)
def test_refuses(what):
    changes, loop_changes, message = BAD[what]
    loop = {"count_1": 1, "count_2": 1, "a_0": 1, "dst_0": 1} | loop_changes
    cmd = command("VCOPY", **{"n": 4, "dst": 512, "looped": 1} | changes)
    assert message in failure(machine(command("VLOOP", **loop), cmd, params=CHIP))


def test_what_is_moved_towards_its_beginning_is_in_order():
    loop = command("VLOOP", count_1=1, count_2=1, a_0=1, dst_0=1)
    made = machine(loop, command("VCOPY", a=3, dst=0, n=50, looped=1), params=CHIP)
    made.sram[:53] = range(53)
    made.run(0)
    assert made.sram[:50].tolist() == list(range(3, 53))


@given(data=st.data())
def test_order_is_what_single_steps_say(data):
    """A later element reads no byte that an earlier one wrote: looked up step by step."""

    def drawn(counts, kind):
        steps = tuple(kind.n_bytes * data.draw(st.integers(-4, 4)) for _ in counts)
        low, _ = walk.Walk(0, counts, steps, kind).span
        start = kind.n_bytes * data.draw(st.integers(0, 12)) - low
        return walk.Walk(start, counts, steps, kind)

    counts = tuple(data.draw(st.integers(1, 4)) for _ in range(3))
    kinds = st.sampled_from((ElementType.INT8, ElementType.INT16))
    source = drawn(counts, data.draw(kinds))
    dst = source if data.draw(st.booleans()) else drawn(counts, data.draw(kinds))
    read, written = (list(map(set, w.bytes(0, w.total).tolist())) for w in (source, dst))
    races = any(read[j] & written[i] for i, j in combinations(range(source.total), 2))
    if source.never_twice:
        assert len(set().union(*read)) == source.total * source.kind.n_bytes
    with pytest.raises(MachineError, match="later one reads") if races else nullcontext():
        walk.check_order([source], dst)


def test_nothing_is_held_after_power_on():
    made = machine(command("VCOPY", n=1, dst=8, looped=1), params=CHIP)
    assert "and no VLOOP before" in failure(made)
    assert made.status is Status.ADDRESS


def test_a_walk_that_is_longer_than_its_budget_is_not_run():
    """2^48 elements, all of them inside SRAM."""
    loop = command("VLOOP", count_1=65535, count_2=65535)
    made = machine(loop, command("VCOPY", dst=8, n=65535, looped=1), params=CHIP)
    with pytest.raises(MachineError, match="no HALT within 1,000 cycles"):
        made.run(0, budget=Budget(1000, 100))
