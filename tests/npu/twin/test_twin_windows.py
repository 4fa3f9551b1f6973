"""Windowed matrix-vector commands against their definition, and what is refused of them."""

import numpy as np
import pytest

from npu.chip import cost, timing, windows
from npu.chip.isa import command
from npu.chip.status import Status
from npu.errors import MachineError
from tests import naive
from tests.npu.twin.programs import chip, failure, machine
from tests.npu.twin.test_twin_matvec import DST, WAIT, Product, sparse

BUS = 8
SHIFT = -8


def geometry(seed):
    """Fields of WINDOW and POSITIONS: everything small, and anything on the wrong side."""
    rng = np.random.default_rng(seed)
    pick = rng.integers
    window = {
        "ny": pick(1, 4),
        "nx": pick(1, 4),
        "length": pick(1, 2 * BUS + 2),
        "width": pick(0, 60),
        "height": pick(0, 9),
        "x": pick(-20, 20),
        "y": pick(-4, 4),
        "dx": pick(0, 20),
        "dy": pick(0, 3),
        "pitch": pick(-60, 61),
    }
    positions = {
        "count_x": pick(1, 5),
        "count_y": pick(1, 4),
        "a_x": pick(-20, 21),
        "a_y": pick(-100, 101),
        "y_step": pick(0, 3),
        "dst_x": 2 * pick(0, 20),
        "dst_y": 2 * pick(0, 60),
    }
    return [{k: int(v) for k, v in fields.items()} for fields in (window, positions)]


def commands(window, positions):
    return [command("WINDOW", **window), command("POSITIONS", **positions)]


def columns_of(window):
    return window["ny"] * window["nx"] * -(-window["length"] // BUS) * BUS


def vectors(sram, a, window, positions):
    """(positions, columns) the bytes of every window, None outside."""
    w, p = window, positions
    found = []
    for py in range(p["count_y"]):
        for px in range(p["count_x"]):
            vector = []
            for i in range(w["ny"]):
                for j in range(w["nx"]):
                    row = w["y"] + py * p["y_step"] + i * w["dy"]
                    for k in range(-(-w["length"] // BUS) * BUS):
                        byte = w["x"] + px * p["a_x"] + j * w["dx"] + k
                        at = a + py * p["a_y"] + px * p["a_x"] + i * w["pitch"] + j * w["dx"] + k
                        inside = 0 <= row < w["height"] and 0 <= byte < w["width"]
                        inside &= k < w["length"] and 0 <= at < len(sram)
                        vector.append(int(sram[at]) if inside else None)
            found.append(vector)
    return found


@pytest.mark.parametrize("step", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_every_element(seed, step):
    window, positions = geometry(seed)
    wide, zero = seed % 2, 3
    product = Product(sparse(seed, 12, columns_of(window)), seed=seed)
    a = int(np.random.default_rng(seed).integers(0, 1500))
    multiply = product.multiply(windowed=1, a=a, dst_type=wide, lo=-(2**15), hi=2**15 - 1)
    made = machine(*product.load(), WAIT, *commands(window, positions), multiply, step=step)
    product.place(made)
    made.sram[:2000] = np.random.default_rng(1).integers(0, 256, 2000)
    wanted = made.sram.copy()
    expect(product, vectors(made.sram.view(np.int8), a, window, positions), positions, wide, wanted)
    for _ in range(2):
        made.run(0)
        np.testing.assert_array_equal(made.sram, wanted)
    assert zero == multiply.a_zero


def expect(product, found, positions, wide, sram):
    """Write what the product is at every position."""
    matrix = product.matrix
    for position, vector in enumerate(found):
        py, px = divmod(position, positions["count_x"])
        base = DST + py * positions["dst_y"] + px * positions["dst_x"]
        for row, weights in enumerate(product.weights):
            total = sum(
                int(w) * (x - 3) for w, x in zip(weights, vector, strict=True) if x is not None
            )
            y = naive.requantize(
                total + int(matrix.bias[row]),
                int(matrix.multipliers[row]),
                SHIFT,
                0,
                -(2**15),
                2**15 - 1,
            )
            if wide:
                at = base + 2 * int(matrix.destination[row])
                sram[at : at + 2] = np.array([y], "<i2").view(np.uint8)
            else:
                sram[base + int(matrix.destination[row])] = y & 0xFF


def test_one_position_costs_what_a_plain_command_does():
    """An aligned window is a vector."""
    product = Product(sparse(1, 12, 64))
    window = {"ny": 1, "nx": 1, "length": 64, "width": 64, "height": 1}
    plain = machine(*product.load(), WAIT, product.multiply())
    walked = machine(
        *product.load(),
        WAIT,
        *commands(window, {"count_x": 1, "count_y": 1}),
        product.multiply(windowed=1),
    )
    for made in (plain, walked):
        product.place(made)
        made.run(0)
    extra = 2 * timing.SET_UP
    assert plain.counters.matvec_cycles == walked.counters.matvec_cycles - extra
    np.testing.assert_array_equal(plain.sram, walked.sram)


def test_a_segment_that_straddles_words_takes_another_read():
    fields = {"width": 99, "height": 9, "nx": 3, "ny": 2, "length": 9, "dx": 8, "pitch": 16}
    window, positions = commands(fields, {"count_x": 9, "count_y": 1, "a_x": 1})
    walk = windows.walk(command("MATVEC", a=0, windowed=1), window, positions, chip())
    # Nine bytes take two words from offsets 0 to 7 and three from none of them.
    assert walk.reads().tolist() == [12] * 8 + [12]
    fields["length"] = 10
    walk = walk._replace(length=10)
    assert walk.reads().tolist() == [12] * 7 + [18, 12]


def test_held_codes_are_those_of_the_command_before():
    product, other = Product(sparse(1)), Product(sparse(2), at=8192, param=2048, bank=128)
    load = [*product.load(), *other.load(), WAIT]
    made = machine(*load, product.multiply(), product.multiply(held=1, block=8, dst=DST + 64))
    for one in (product, other):
        one.place(made)
    for start in range(3):
        made.sram[:64] = np.random.default_rng(start).integers(0, 256, 64)
        made.run(0)
        np.testing.assert_array_equal(made.sram[DST : DST + 30], made.sram[DST + 64 : DST + 94])


def test_held_without_codes_is_an_error():
    product = Product(sparse(1))
    held = product.multiply(held=1)
    made = machine(*product.load(), WAIT, held)
    product.place(made)
    assert "no codes are held" in failure(made)
    # A block that is refused, or an address that is, leaves nothing behind.
    for wrong in ({"block": 4}, {"columns": 0}):
        made = machine(*product.load(), WAIT, product.multiply(), product.multiply(**wrong), held)
        product.place(made)
        failure(made)
        made.reset()
        with pytest.raises(MachineError, match="no codes are held") as found:
            made.run(len(product.load()) + 3)
        assert found.value.status == Status.TABLE


def test_what_is_refused():
    product = Product(sparse(1, 8, 16))
    multiply = product.multiply(windowed=1)
    good = {"ny": 1, "nx": 1, "length": 16, "width": 64, "height": 1}
    once = {"count_x": 1, "count_y": 1}
    assert "no window" in failure(machine(multiply))
    for name in ("ny", "nx", "length"):
        assert f"{name} is 0" in failure(machine(command("WINDOW", **(good | {name: 0}))))
    for name in once:
        assert f"{name} is 0" in failure(machine(command("POSITIONS", **(once | {name: 0}))))
    for name, value in (("width", 1 << 14), ("height", 1 << 15)):
        text = f"{name} {value} is more than {value - 1}"
        assert text in failure(machine(command("WINDOW", **(good | {name: value}))))
    made = machine(*commands(good | {"nx": 2}, once), multiply)
    assert "16 columns, its window has 32" in failure(made)
    made = machine(*commands(good, once | {"dst_x": 1}), product.multiply(windowed=1, dst_type=1))
    assert "bytes between int16 elements" in failure(made)
    made = machine(
        *product.load(),
        WAIT,
        *commands(good, once | {"count_x": 3, "dst_x": 1 << 12}),
        product.multiply(windowed=1),
    )
    product.place(made)
    assert "a destination or scale index is out of range" in failure(made)


def test_a_later_position_may_not_read_what_one_writes():
    product = Product(sparse(1, 8, 16))
    window = {"ny": 1, "nx": 1, "length": 16, "width": 640, "height": 1}
    positions = {"count_x": 3, "count_y": 1, "a_x": 16, "dst_x": 16}
    for dst, wrong in ((0, False), (16, True), (8, False)):
        made = machine(
            *product.load(),
            WAIT,
            *commands(window, positions),
            product.multiply(windowed=1, dst=dst),
        )
        product.place(made)
        if wrong:
            assert "writes what one behind it reads" in failure(made)
        else:
            made.run(0)


def test_the_cost_needs_no_machine():
    """Positions cost the first one's load once, and what the lanes take each time."""
    window, once = commands(
        {"ny": 1, "nx": 1, "length": 16, "width": 64, "height": 1}, {"count_x": 1, "count_y": 1}
    )
    many = command("POSITIONS", count_x=5, count_y=2, a_x=16)
    slots = chip().lanes * chip().threads
    ends = np.arange(1, slots + 1) * 10
    none = np.full(slots, 1 << 62)
    turns = cost.Turns(np.arange(slots + 1), ends, none)
    streams = cost.Streams([(1, 1)], 1, turns)
    cmd = command("MATVEC", columns=16, windowed=1)
    one, ten = (
        cost.product(cmd, cost.Held(window, positions), chip(), streams)
        for positions in (once, many)
    )
    lap = 2 * ends[-1] + (slots - 1) % 2
    lap += timing.LANES_IDLE + timing.prime(chip().threads) + timing.POSITION_START
    assert ten.cycles - one.cycles == 9 * lap
    assert ten.run.order.tolist() == list(range(10 * slots))
