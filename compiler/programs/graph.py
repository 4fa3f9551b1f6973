"""A single graph: boot, reset, and one call a start."""

from compiler.programs.program import EntryPoint, Exchange, Program, Use, Writer
from npu.runtime.header import INVOKE, RESET

MAIN = "main"


def graph() -> Program:
    """The program of a model whose one graph is "main"."""
    return Program(
        uses=(Use(MAIN, stores=True),),
        entries=(EntryPoint(RESET, reset), EntryPoint(INVOKE, invoke)),
    )


def reset(writer: Writer) -> Exchange:
    """States to their start values."""
    writer.reset()
    writer.emit("HALT")
    return Exchange()


def invoke(writer: Writer) -> Exchange:
    """One call."""
    return one_call(writer, MAIN)


def one_call(writer: Writer, role: str) -> Exchange:
    """A graph on what the host wrote for it, and halt."""
    writer.run(role)
    writer.emit("HALT")
    return Exchange(writer.inputs[role], writer.outputs[role])
