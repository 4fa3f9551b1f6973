"""Every command of the vector unit against exact arithmetic, over whole fields; time and bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.chip import timing
from npu.chip.isa import OPCODES, ElementType, command
from npu.model import numerics
from npu.model.numerics.table import SIGMOID_TABLE
from npu.twin import vector
from tests import naive
from tests.npu.twin.programs import chip, failure, machine, put

TABLE = [int(v) for v in SIGMOID_TABLE]
A, B, DST = 0, 2048, 4096
OVERHEAD = timing.FETCH + timing.DECODE
INT16 = st.sampled_from([-32768, -32767, -1, 0, 1, 32767]) | st.integers(-32768, 32767)
INT8 = st.sampled_from([-128, 127, 0]) | st.integers(-128, 127)


def elements(kind):
    return st.lists(INT16 if kind == "int16" else INT8, min_size=1, max_size=70)


def fields(name, **fixed):
    """A strategy for all fields of an opcode but the operands'; extremes are frequent."""
    operands = {"dst", "n", "a", "b", "a_type", "b_type", "dst_type", "rd", "looped", "scaled"}
    drawn = {}
    for field in OPCODES[name].fields:
        low, high = field.range
        if field.name not in operands:
            drawn[field.name] = st.sampled_from([low, high]) | st.integers(low, high)
    return st.fixed_dictionaries(drawn | fixed)


def run(name, a, b=None, types=("int8", "int8", "int8"), **values):
    """What a vector command writes, after checking its time and that nothing else was written."""
    cmd_types = {
        key: int(kind == "int16")
        for key, kind in zip(("a_type", "b_type", "dst_type"), types, strict=True)
        if key in {f.name for f in OPCODES[name].fields}
    }
    places = {k: v for k, v in {"a": A, "b": B, "dst": DST}.items() if k in FIELDS[name]}
    made = machine(command(name, n=len(a), **places, **cmd_types, **values))
    made.sram[DST:] = 0x5A
    put(made.sram, A, np.array(a, types[0]))
    if b is not None:
        put(made.sram, B, np.array(b, types[1]))
    before = made.sram.copy()
    retired = []
    made.observer = lambda retire, _: retired.append(retire)
    cycles = made.run(0)
    groups = -(-len(a) // made.params.vector_elements)
    assert cycles == OVERHEAD + timing.DECODE + timing.vector(name, groups) + timing.SCALAR
    assert retired[0].end - retired[0].start + 1 == timing.vector(name, groups)
    assert made.events.vector_elements == len(a)
    if name == "VARGMAX":
        np.testing.assert_array_equal(made.sram, before)
        return made
    n_bytes = len(a) * np.dtype(types[2]).itemsize
    written = made.sram[DST : DST + n_bytes].view(types[2]).tolist()
    made.sram[DST : DST + n_bytes] = before[DST : DST + n_bytes]
    np.testing.assert_array_equal(made.sram, before)
    return written


FIELDS = {name: {f.name for f in opcode.fields} for name, opcode in OPCODES.items()}


def pairs(kind_a, kind_b):
    a = INT16 if kind_a == "int16" else INT8
    b = INT16 if kind_b == "int16" else INT8
    return st.lists(st.tuples(a, b), min_size=1, max_size=70)


ordered = st.tuples(INT8, INT8).map(sorted)


@given(pairs("int8", "int8"), fields("VADD"), ordered)
def test_add(operands, v, bounds):
    v |= {"lo": bounds[0], "hi": bounds[1]}
    a, b = zip(*operands, strict=True)

    def scaled(x, side):
        x = (x - v[f"{side}_zero"]) * 2**20
        return naive.multiply(x, v[f"{side}_multiplier"], v[f"{side}_shift"])

    expected = [
        naive.requantize(
            scaled(x, "a") + scaled(y, "b"),
            v["multiplier"],
            v["shift"],
            v["dst_zero"],
            v["lo"],
            v["hi"],
        )
        for x, y in operands
    ]
    assert run("VADD", a, b, **v) == expected


KINDS = ("int8", "int16")


@pytest.mark.parametrize("kinds", [(a, b, d) for a in KINDS for b in KINDS for d in KINDS])
@given(data=st.data())
def test_multiply(kinds, data):
    operands = data.draw(pairs(*kinds[:2]))
    limit = INT8 if kinds[2] == "int8" else INT16
    lo, hi = sorted((data.draw(limit), data.draw(limit)))
    v = data.draw(fields("VMUL")) | {"lo": lo, "hi": hi}
    a, b = zip(*operands, strict=True)
    expected = [
        naive.requantize(
            (x - v["a_zero"]) * (y - v["b_zero"]),
            v["multiplier"],
            v["shift"],
            v["dst_zero"],
            lo,
            hi,
        )
        for x, y in operands
    ]
    assert run("VMUL", a, b, kinds, **v) == expected


@pytest.mark.parametrize("kinds", [(a, d) for a in KINDS for d in KINDS])
@given(data=st.data())
def test_rescale(kinds, data):
    a = data.draw(elements(kinds[0]))
    limit = INT8 if kinds[1] == "int8" else INT16
    lo, hi = sorted((data.draw(limit), data.draw(limit)))
    v = data.draw(fields("VRESCALE")) | {"lo": lo, "hi": hi}
    expected = [
        naive.requantize(x - v["a_zero"], v["multiplier"], v["shift"], v["dst_zero"], lo, hi)
        for x in a
    ]
    assert run("VRESCALE", a, types=(kinds[0], "int8", kinds[1]), **v) == expected


@given(pairs("int16", "int16"))
def test_saturating_add(operands):
    a, b = zip(*operands, strict=True)
    expected = [naive.clamp(x + y, -32768, 32767) for x, y in operands]
    assert run("VADDS", a, b, ("int16", "int16", "int16")) == expected


@given(pairs("int8", "int8"))
def test_maximum(operands):
    a, b = zip(*operands, strict=True)
    assert run("VMAX", a, b, ("int8", "int8", "int8")) == [max(x, y) for x, y in operands]


# What a compiler makes: npu.model.numerics.table_input_scaling.
SCALINGS = st.sampled_from([numerics.table_input_scaling(k) for k in range(-27, 3)])


@pytest.mark.parametrize("name", ["VSIGMOID", "VTANH"])
@given(a=elements("int16"), scaling=SCALINGS)
def test_table_functions(name, a, scaling):
    function = naive.sigmoid_int16 if name == "VSIGMOID" else naive.tanh_int16
    multiplier, shift = scaling
    expected = [function(x, TABLE, multiplier, shift) for x in a]
    types = ("int16", "int16", "int16")
    assert run(name, a, types=types, multiplier=multiplier, shift=shift) == expected


@given(elements("int8"), st.integers(0, 2**32 - 1))
def test_look_up(a, seed):
    table = np.random.default_rng(seed).integers(-128, 128, 256).astype(np.int8)
    made = machine(command("TABLE", param=64), command("VLUT", n=len(a), a=A, dst=DST))
    put(made.param, 64, table)
    put(made.sram, A, np.array(a, np.int8))
    cycles = made.run(0)
    groups = -(-len(a) // made.params.vector_elements)
    assert cycles == (
        OVERHEAD
        + 2 * timing.DECODE
        + timing.VECTOR_START
        + 256 // 8
        + timing.vector("VLUT", groups)
        + 1
    )
    found = made.sram[DST : DST + len(a)].view(np.int8)
    assert found.tolist() == [table[x + 128] for x in a]


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_copy_and_fill(kind, data):
    a = data.draw(elements(kind))
    assert run("VCOPY", a, types=(kind, "int8", kind)) == a
    value = data.draw(st.sampled_from(a))
    assert run("VFILL", [0] * len(a), types=("int8", "int8", kind), imm=value) == [value] * len(a)


def test_fill_takes_the_low_byte():
    assert run("VFILL", [0] * 9, imm=300) == [44] * 9
    assert run("VFILL", [0] * 9, imm=-129) == [127] * 9


@given(elements("int8"))
def test_argmax(a):
    made = run("VARGMAX", a, rd=7)
    assert made.registers[7] == a.index(max(a))


def test_argmax_takes_the_first_of_equals():
    assert run("VARGMAX", [3, 9, 9, 9], rd=7).registers[7] == 1
    assert run("VARGMAX", [-128] * 50, rd=7).registers[7] == 0


# --- time ---------------------------------------------------------------------------------------
def test_times():
    assert timing.vector("VMUL", 10) - timing.vector("VMUL", 9) == 1
    assert timing.vector("VADD", 10) - timing.vector("VADD", 9) == timing.ADD_PASSES
    assert timing.vector("VMUL", 1) == timing.VECTOR_START + 1 + timing.VECTOR_LATENCY
    lookup = timing.VECTOR_START + 1 + timing.LOOKUP_LATENCY
    assert [timing.vector(name, 1) for name in timing.LOOKUPS] == [lookup] * 3


# --- refusals -----------------------------------------------------------------------------------
BOUNDS = chip().sram_bytes


@pytest.mark.parametrize(
    ("cmd", "message"),
    [
        (command("VCOPY", n=0, dst=64), "a vector of no elements"),
        (command("VCOPY", n=9, dst=BOUNDS - 8), "9 bytes at 0x1ff8 lie outside SRAM"),
        (command("VCOPY", n=9, a=BOUNDS - 8), "9 bytes at 0x1ff8 lie outside SRAM"),
        (command("VADD", n=9, a=64, dst=64, b=BOUNDS - 8), "9 bytes at 0x1ff8 lie outside"),
        (command("VFILL", n=5, dst=BOUNDS - 8, dst_type=1), "10 bytes at 0x1ff8 lie outside SRAM"),
        (command("VFILL", n=1, dst=2**24 - 8), "1 bytes at 0xfffff8 lie outside SRAM"),
        (command("VARGMAX", n=65535, a=0), "65535 bytes at 0x0 lie outside SRAM"),
        (command("VCOPY", n=1, dst=2), "address 0x2 in SRAM is not a multiple of 4"),
        (command("VADDS", n=1, a=4, dst=64), "address 0x4 in SRAM is not a multiple of 8"),
        (command("TABLE", param=4), "address 0x4 in parameter memory is not a multiple of 8"),
        (
            command("TABLE", param=chip().param_bytes - 248),
            "256 bytes at 0x1f08 lie outside parameter memory",
        ),
        (command("VCOPY", n=9, a=0, dst=8), "the destination overlaps a source without being it"),
        (command("VRESCALE", n=8, dst_type=1), "the destination overlaps a source"),
    ],
    ids=str,
)
def test_operands_outside_are_refused(cmd, message):
    made = machine(cmd, params=chip(vector_elements=4))
    assert failure(made).startswith(f"command 0 ({cmd}): {message}")


def test_in_place_is_allowed():
    made = machine(command("VADDS", n=4, a=0, b=0, dst=0))
    put(made.sram, 0, np.array([1, -2, 30000, -30000], np.int16))
    made.run(0)
    assert made.sram[:8].view(np.int16).tolist() == [2, -4, 32767, -32768]


def test_every_vector_opcode_has_types():
    for name, opcode in OPCODES.items():
        if opcode.unit == "vector" and name != "TABLE":
            a, b, dst = command(name).operand_types
            assert (a is None) == ("a" not in FIELDS[name])
            assert (b is None) == ("b" not in FIELDS[name])
            assert (dst is None) == ("dst" not in FIELDS[name])
            if "dst_type" in FIELDS[name]:
                assert command(name, dst_type=1).operand_types[2] is ElementType.INT16
    with pytest.raises(ValueError, match="MATVEC is no vector command"):
        empty = np.zeros(0, np.int8)
        vector.bind(command("MATVEC"), empty, empty, empty, empty)
