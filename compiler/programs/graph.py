"""A single graph: boot, reset, and one call a start."""

from compiler.emit import Emitter
from compiler.program import EntryPoint, Exchange, Program, Use
from npu.runtime.header import INVOKE, RESET

MAIN = "main"


def graph() -> Program:
    """The program of a model whose one graph is "main"."""
    return Program(
        uses=(Use(MAIN, stores=True),),
        entries=(EntryPoint(RESET, reset), EntryPoint(INVOKE, invoke)),
    )


def reset(emitter: Emitter) -> Exchange:
    """States to their start values."""
    emitter.reset()
    emitter.emit("HALT")
    return Exchange()


def invoke(emitter: Emitter) -> Exchange:
    """One call."""
    return one_call(emitter, MAIN)


def one_call(emitter: Emitter, role: str) -> Exchange:
    """A graph on what the host wrote for it, and halt."""
    emitter.run(role)
    emitter.emit("HALT")
    return Exchange(emitter.inputs[role], emitter.outputs[role])
