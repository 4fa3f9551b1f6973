"""Random programs are valid, and the twin's two ways of running them agree in every cycle."""

from hypothesis import given, settings

from npu.params import load_params
from npu.trace import Retire
from npu.twin.machine import Machine
from tests.lockstep.programs import Program, build, recipes

TINY = load_params("tiny")
CHIP = TINY.model_copy(
    update={"lanes": 3, "threads": 2, "bus_bytes": 8, "sram_bytes": 2048, "result_fifo": 8}
)


def run(program: Program, step: bool) -> tuple[list[Retire], Machine]:
    """Run a program on the twin; its retire records and the machine."""
    records: list[Retire] = []
    machine = Machine(
        program.params,
        len(program.memory),
        program.raw(),
        schedule=program.schedule,
        step=step,
        observer=lambda retire, _: records.append(retire),
    )
    machine.memory.data[:] = program.memory
    machine.sram[:] = program.sram
    machine.run(0)
    return records, machine


@settings(max_examples=25)
@given(recipe=recipes())
def test_stepped_and_remembered_execution_agree(recipe):
    program = build(recipe, CHIP)
    fast, a = run(program, step=False)
    stepped, b = run(program, step=True)
    assert fast == stepped, "\n".join(program.listing)
    assert bytes(a.sram) == bytes(b.sram)
    assert bytes(a.memory.data) == bytes(b.memory.data)
    assert a.registers == b.registers
    assert a.counters == b.counters
