"""The exported assertions on stores and the zoo's model in Verilator, and on faulty Verilog.

    python -m tests.coverage.assertions [--cycles N] [--fault NAME]

A failed assertion ends the process with its name; so does an assumption. The zoo's
model stores nothing in external memory, so that a program that does comes first, with every order
in which a memory may take address and data. FAULTS are edits of the exported Verilog, each with the
assertion that it breaks.
"""

import argparse
import contextlib
import sys
from dataclasses import dataclass
from functools import partial

import numpy as np

from compiler import compile_model, load_model
from npu.chip.isa import command, encode
from npu.chip.memory import BusSchedule, WriteOrder
from npu.chip.params import ChipParams, load_params
from npu.runtime.sessions import TransducerSession
from rtl.sim import verilate
from rtl.sim.machine import RtlMachine
from rtl.sva import assertions
from tests.coverage.collect import CHIP
from tests.coverage.stimuli import ROOT

CYCLES = 100_000


@dataclass(frozen=True)
class Fault:
    """Text of the exported Verilog, which it holds once, and what becomes of it."""

    old: str
    new: str
    breaks: str


# Each needs a register that changes with every cycle.
FLIP = "\n  reg flip;\n  always @(posedge clk) flip <= rst ? 1'b0 : ~flip;"
FAULTS = {
    "AWVALID drops before AWREADY": Fault(
        ".axi_aw_valid(m_axi_awvalid)", "m_axi_awvalid", "a_aw_stays"
    ),
    "WVALID drops before WREADY": Fault(".axi_w_valid(m_axi_wvalid)", "m_axi_wvalid", "a_w_stays"),
    "a program runs and the chip is not active": Fault(
        ".debug_active(debug_active)", "debug_active", "a_running_is_active"
    ),
}


def faulty(verilog: str, name: str) -> str:
    """The Verilog with a fault: a port of the top module is low in every other cycle.

    Raises ValueError if the text does not hold what the fault changes once.
    """
    fault = FAULTS[name]
    top, end, others = verilog.partition("endmodule\n")
    if top.count(fault.old) != 1:
        raise ValueError(f"the top module must hold {fault.old!r} once")
    wire = f"steady_{fault.new}"
    text = top.replace(fault.old, fault.old.replace(f"({fault.new})", f"({wire})"))
    head, ports, rest = (text + end + others).partition(");\n")
    more = f"  wire {wire};{FLIP}\n  assign {fault.new} = {wire} & flip;\n"
    return head + ports + more + rest


# Bursts of one beat and of many, over 4 KiB, from SRAM and from a register.
STORES = (
    command("LOAD", ext=0, sram=0, beats=80),
    command("STORE", ext=4096 - 24, sram=0, beats=70),
    command("STORE", ext=8192, sram=64, beats=1),
    *(command("STORE_REG", ext=8192 + 64 + 4 * i, rs2=1) for i in range(3)),
    command("LOAD_REG", ext=4096, rd=2),
    command("HALT"),
)


def _stores(params: ChipParams) -> None:
    raw = b"".join(map(encode, STORES))
    for order in WriteOrder:
        ready = np.random.default_rng(order).random((5, 61)) < 0.15
        schedule = BusSchedule(*ready, order=order)
        chip = RtlMachine(params, 16384, raw, schedule, checks=assertions(params))
        chip.run(0)
        chip.close()


class _Enough(Exception):
    """The cycles that were asked for are over."""


def run(cycles: int = CYCLES, fault: str = "") -> int:
    """Run stores, then the zoo's transducer, with all assertions; returns the zoo's cycles."""
    params = load_params(CHIP)
    text = verilate.verilog_of(params)
    if fault:
        text = faulty(text, fault)
    machine = partial(RtlMachine, checks=assertions(params))
    ready = np.random.default_rng(3).random((5, 61)) < 0.7
    ended = 0

    def observe(retire: object, chip: RtlMachine) -> None:
        nonlocal ended
        ended = chip.cycle
        if ended >= cycles:
            raise _Enough

    def given(*_: object) -> str:
        return text

    folder = ROOT / "npu" / "zoo" / "commands_rnnt"
    image = compile_model(load_model(folder), params)
    taken = image.header.features
    assert taken is not None
    with np.load(min((folder / "utterances").glob("*.npz"))) as recorded:
        features = recorded["features"].reshape(-1, *taken.shape[1:])
    verilate.verilog_of = given  # type: ignore[assignment]
    _stores(params)
    schedule = BusSchedule(*ready, order=WriteOrder.ADDRESS_FIRST)
    session = TransducerSession(image, schedule=schedule, machine=machine, observer=observe)
    with contextlib.suppress(_Enough):
        session.accept(features)
    return ended


def main() -> int:
    """Run in this process, which a failed assertion ends."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cycles", type=int, default=CYCLES)
    parser.add_argument("--fault", choices=FAULTS, default="")
    arguments = parser.parse_args()
    print(f"{run(arguments.cycles, arguments.fault):,} cycles, no assertion has failed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
