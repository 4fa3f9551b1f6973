"""Two descriptions of one design side by side in Verilator, under the same random inputs."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from rtl.sim.verilate import DEFINES, RUNTIME, verilator_root

CYCLES = 20_000
TIMEOUT_S = 300
_EQUAL = re.compile(r"equal in (\d+) cycles, (\d+) bits of (\d+) seen at 0 and 1")


def renamed(verilog: str, top: str, name: str) -> str:
    """The text with its outermost module under another name."""
    changed, count = re.subn(
        rf"^module {top}(?= ?\()", f"module {name}", verilog, flags=re.MULTILINE
    )
    assert count == 1
    return changed


def ports_of(verilog: str, top: str) -> list[tuple[str, int, str]]:
    """Direction, bits and name of every port of a module that has a line for each."""
    found = re.search(rf"^module {top} ?\(.*?^endmodule", verilog, re.MULTILINE | re.DOTALL)
    assert found is not None
    port = r"^\s*(input|output)(?: wire| reg)?(?: \[(\d+):0\])? (\w+)\s*[,;]?$"
    ports = re.findall(port, found[0], re.MULTILINE)
    return [(way, int(high or 0) + 1, name) for way, high, name in ports]


def bench(ports: list[tuple[str, int, str]], driven: Mapping[str, str]) -> str:
    """A module that drives `gold` and `gate` and says where they differ.

    Inputs get the Verilog of `driven` in every cycle n, the others random bits. `rst` is high in
    the first three.
    """
    inputs = [(bits, name) for way, bits, name in ports if way == "input" and name != "clk"]
    outputs = [(bits, name) for way, bits, name in ports if way == "output"]
    total = sum(bits for bits, _ in outputs)
    joined = {side: ", ".join(f"{side}_{name}" for _, name in outputs) for side in ("gold", "gate")}
    lines = ["module bench(input clk);", "  integer n = 0;"]
    lines += [f"  reg [{bits - 1}:0] {name} = 0;" for bits, name in inputs]
    for side in ("gold", "gate"):
        lines += [f"  wire [{bits - 1}:0] {side}_{name};" for bits, name in outputs]
        pins = [f".{name}({name})" for _, name in inputs]
        pins += [f".{name}({side}_{name})" for _, name in outputs]
        lines += [f"  {side} {side} (.clk(clk), {', '.join(pins)});"]
        lines += [f"  wire [{total - 1}:0] all_{side} = {{{joined[side]}}};"]
    lines += [f"  reg [{total - 1}:0] low = 0, high = 0;", "  always @(negedge clk) begin"]
    for bits, name in inputs:
        value = driven.get(name, "{" + ", ".join(["$urandom"] * -(-bits // 32)) + "}")
        lines += [f"    {name} <= {f'n < 3 || ({value})' if name == 'rst' else value};"]
    lines += [
        "  end",
        "  always @(posedge clk) begin",
        "    if (all_gold !== all_gate) begin",
        '      $display("differ in cycle %0d: %h, %h", n, all_gold, all_gate);',
        "      $finish;",
        "    end",
        "    low <= low | ~all_gold;",
        "    high <= high | all_gold;",
        "    n <= n + 1;",
        f"    if (n == {CYCLES}) begin",
        f'      $display("equal in %0d cycles, %0d bits of {total} seen at 0 and 1",',
        "        n, $countones(low & high));",
        "      $finish;",
        "    end",
        "  end",
        "endmodule",
        "",
    ]
    return "\n".join(lines)


MAIN = """\
#include "Vbench.h"
#include "verilated.h"
int main() {
    VerilatedContext context;
    Vbench bench{&context};
    for (int i = 0; i < 1000000 && !context.gotFinish(); ++i) {
        bench.clk = !bench.clk;
        bench.eval();
    }
}
"""


def simulated(text: str, folder: Path) -> str:
    """What a text with the module `bench` prints in Verilator; also why it cannot be built."""
    root = verilator_root()
    (folder / "bench.v").write_text(text, encoding="utf-8")
    (folder / "main.cpp").write_text(MAIN, encoding="utf-8")
    made, include = folder / "made", root / "include"
    verilate = [str(root / "bin" / "verilator_bin"), "--cc", "--no-timing", "--x-initial", "0"]
    verilate += ["--x-assign", "0", "-Wno-fatal", "-Wno-lint", "-Werror-USERFATAL"]
    verilate += ["--no-assert", "--output-split", "20000"]
    verilate += ["--top-module", "bench", "--Mdir", str(made), "bench.v"]
    if said := _failed(verilate, folder):
        return said
    sources = [*made.glob("*.cpp"), folder / "main.cpp", *(include / name for name in RUNTIME)]
    compile_ = [
        "g++",
        "-std=c++17",
        "-O0",
        "-w",
        "-pthread",
        *DEFINES,
        "-DVM_TRACE=0",
        f"-I{made}",
        f"-I{include}",
    ]
    compile_ += [*map(str, sources), "-o", str(folder / "bench")]
    if said := _failed(compile_, folder):
        return said
    return _done([str(folder / "bench")], folder).stdout


def _failed(command: list[str], folder: Path) -> str:
    """What a tool said if it failed."""
    done = _done(command, folder)
    return done.stdout if done.returncode else ""


def _done(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "VERILATOR_ROOT": str(verilator_root())},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT_S,
    )


def seen(said: str) -> tuple[int, int] | None:
    """Of sides that are equal: the output bits that were at 0 and at 1, and all of them."""
    found = _EQUAL.search(said)
    return None if found is None else (int(found[2]), int(found[3]))
