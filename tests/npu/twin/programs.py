"""Small programs for the chip: assembled, loaded and run."""

import numpy as np

from npu.chip.isa import Command, command, encode
from npu.chip.params import ChipParams, load_params
from npu.errors import MachineError
from npu.twin.machine import Machine


def chip(**changes: object) -> ChipParams:
    """`tiny` with other values."""
    return ChipParams(**(load_params("tiny").model_dump() | changes))


def machine(*commands: Command, params: ChipParams | None = None, **options) -> Machine:
    """A chip that holds the commands and a HALT."""
    program = b"".join(encode(c) for c in (*commands, command("HALT")))
    return Machine(params or chip(), 1 << 16, program, **options)


def put(memory: np.ndarray, at: int, values: np.ndarray) -> None:
    raw = np.ascontiguousarray(values).view(np.uint8)
    memory[at : at + len(raw)] = raw


def failure(made: Machine, pc: int = 0) -> str:
    """What the chip stops with."""
    try:
        made.run(pc)
    except MachineError as error:
        return str(error)
    raise AssertionError("the chip did not stop in error")
