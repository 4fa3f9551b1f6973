"""Twin and RTL on the same program and inputs: how fast, and whether they say the same."""

import hashlib
from collections.abc import Mapping
from typing import Any

from npu.analysis.lockstep import Clocked
from npu.analysis.results import SpeedupReport
from npu.chip.summary import summary
from npu.runtime.calls import Inputs, call, open_session
from npu.runtime.image import Image


def run_timed(image: Image, inputs: list[Inputs], machine: Clocked) -> dict[str, Any]:
    """What an engine answered, how many cycles each start took, and what it holds at the end.

    The first call is not timed.
    """
    session = open_session(image, machine=machine)
    answers = [call(session, inputs[0])]
    machine.clear()
    answers += [call(session, each) for each in inputs[1:]]
    made = machine.machine
    return {
        "outputs": [[array.tolist() for array in answer] for answer in answers],
        "cycles": [session.boot_cycles, session.reset_cycles, *session.cycles],
        "memory": hashlib.sha256(made.memory.data).hexdigest(),
        "sram": hashlib.sha256(made.sram).hexdigest(),
        "registers": list(made.registers),
    }


def speedup_report(
    image: Image, machines: Mapping[str, Clocked], results: Mapping[str, dict[str, Any]]
) -> SpeedupReport:
    """Both speeds, from what `run_timed` found of "twin" and "rtl"."""
    twin, rtl = results["twin"], results["rtl"]
    speeds = {name: machine.report() for name, machine in machines.items()}
    return {
        "model": image.header.model,
        "chip": summary(image.params),
        "calls": len(twin["outputs"]) - 1,
        "equal": twin == rtl,
        "differ": [key for key in twin if twin[key] != rtl[key]],
        "twin": speeds["twin"],
        "rtl": speeds["rtl"],
        "speedup": speeds["twin"]["cycles_per_second"] / speeds["rtl"]["cycles_per_second"],
    }
