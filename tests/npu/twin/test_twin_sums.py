"""Products that store int32 sums, and add them, against their definition, and what is refused."""

import numpy as np
import pytest

from npu.chip import timing
from npu.chip.isa import command
from npu.chip.status import Status
from npu.errors import MachineError
from tests import naive
from tests.npu.twin.programs import failure, machine
from tests.npu.twin.test_twin_matvec import DST, WAIT, Product, sparse
from tests.npu.twin.test_twin_windows import columns_of, commands, geometry, vectors

SUMS = 2048
SRAM = 8192


def flags(raw, add, dst=DST, at=SUMS):
    """Fields with which the sum of the element at `dst` lies at `at`."""
    return {"raw": raw, "add": add, "sums": (at - 4 * dst) % (1 << 24)}


def expect(product, found, bases, wide, kind, sram):
    """Write what the rows are at every position into `sram`, as the command says."""
    raw, add = kind
    matrix, size = product.matrix, 2 if wide else 1
    for base, vector in zip(bases, found, strict=True):
        for row, weights in enumerate(product.weights):
            total = int(matrix.bias[row]) + sum(
                int(w) * (x - 3) for w, x in zip(weights, vector, strict=True) if x is not None
            )
            element = base + size * int(matrix.destination[row])
            at = SUMS + 4 * (element - DST)
            if add:
                total += int(sram[at : at + 4].view("<i4")[0])
            total = (total + 2**31) % 2**32 - 2**31
            if raw:
                sram[at : at + 4] = np.array([total], "<i4").view(np.uint8)
                continue
            scale = int(matrix.multipliers[row]), int(matrix.shifts[row])
            y = naive.requantize(total, *scale, 0, -(2**15), 2**15 - 1)
            sram[element : element + size] = np.array([y], "<i2").view(np.uint8)[:size]


@pytest.mark.parametrize("kind", [(1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("wide", [0, 1])
def test_a_vector(kind, wide):
    product = Product(sparse(wide, 20, 48), seed=wide)
    cmd = product.multiply(dst_type=wide, lo=-(2**15), hi=2**15 - 1, **flags(*kind))
    made = machine(*product.load(), WAIT, cmd)
    product.place(made)
    made.sram[:] = np.random.default_rng(1).integers(0, 256, SRAM)
    for _ in range(3):
        wanted = made.sram.copy()
        expect(product, [made.sram[:48].view(np.int8).tolist()], [DST], wide, kind, wanted)
        made.run(0)
        np.testing.assert_array_equal(made.sram, wanted)


@pytest.mark.parametrize("kind", [(1, 0), (0, 1), (1, 1)])
@pytest.mark.parametrize("seed", range(6))
def test_windows(kind, seed):
    window, positions = geometry(seed)
    wide, step = seed % 2, 2 * 12
    positions |= {"dst_x": step, "dst_y": step * positions["count_x"]}
    product = Product(sparse(seed, 12, columns_of(window)), seed=seed)
    fields = {"dst_type": wide, "lo": -(2**15), "hi": 2**15 - 1} | flags(*kind)
    cmd = product.multiply(windowed=1, a=600, **fields)
    made = machine(*product.load(), WAIT, *commands(window, positions), cmd)
    product.place(made)
    made.sram[:] = np.random.default_rng(1).integers(0, 256, SRAM)
    bases = [
        DST + y * positions["dst_y"] + x * positions["dst_x"]
        for y in range(positions["count_y"])
        for x in range(positions["count_x"])
    ]
    for _ in range(2):
        wanted = made.sram.copy()
        found = vectors(made.sram.view(np.int8), 600, window, positions)
        expect(product, found, bases, wide, kind, wanted)
        made.run(0)
        np.testing.assert_array_equal(made.sram, wanted)


def test_a_position_that_adds_waits_until_the_one_before_is_written():
    """So that only one of vectors and sums is read at a time."""
    product = Product(sparse(1, 12, 16))
    window = {"ny": 1, "nx": 1, "length": 16, "width": 64, "height": 1}
    positions = {"count_x": 3, "count_y": 1, "a_x": 16, "dst_x": 16}
    cycles = []
    for kind in ((1, 0), (1, 1)):
        cmd = product.multiply(windowed=1, **flags(*kind))
        made = machine(*product.load(), WAIT, *commands(window, positions), cmd)
        product.place(made)
        made.run(0)
        cycles.append(made.counters.matvec_cycles)
    assert cycles[1] - cycles[0] >= 2 * (timing.REQUANTISE - timing.ROWS_GONE)


def test_what_is_refused():
    product = Product(sparse(1, 8, 16))
    load = [*product.load(), WAIT]

    def found(*window, **fields):
        made = machine(*load, *window, product.multiply(**fields))
        product.place(made)
        with pytest.raises(MachineError) as error:
            made.run(0)
        return error.value.status, str(error.value)

    odd = flags(1, 0) | {"sums": 2}
    status, text = found(**odd)
    assert status == Status.ADDRESS and "no multiple of 4" in text
    # The last sums that lie in SRAM, and the first that do not.
    last = SRAM - 4 * 8
    made = machine(*load, product.multiply(**flags(1, 1, at=last)))
    product.place(made)
    made.run(0)
    for at in (last + 4, -4):
        for kind in ((1, 0), (0, 1)):
            assert found(**flags(*kind, at=at))[0] == Status.RECORD
    # What the chip makes of it depends on when a row is written.
    status, text = found(**flags(0, 1, at=DST - 8))
    assert status is None and "adds a sum that another one writes" in text
    window = {"ny": 1, "nx": 1, "length": 16, "width": 64, "height": 1}
    positions = {"count_x": 3, "count_y": 1, "a_x": 16, "dst_x": 16}
    status, text = found(*commands(window, positions), windowed=1, **flags(1, 0, at=16))
    assert status is None and "a position writes what one behind it reads" in text


def test_without_the_flags_sums_mean_nothing():
    product = Product(sparse(1, 8, 16))
    made = machine(*product.load(), WAIT, product.multiply(sums=3))
    product.place(made)
    made.run(0)
    assert "sums=0x3" in str(command("MATVEC", sums=3))
    assert failure(machine(product.multiply(columns=0)))
