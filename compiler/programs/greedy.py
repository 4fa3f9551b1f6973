"""The greedy search of a transducer as a loop on the chip: the host hands over calls of features
and finds symbols.

As `npu.speech.search.GreedySearch` decides.
"""

from functools import partial

from compiler.frontends.models import Model
from compiler.lowering.registers import (
    EMITTED,
    FEATURES,
    RUNNING,
    SCRATCH,
    WORD,
)
from compiler.programs.program import Border, EntryPoint, Exchange, Program, Use, Writer
from compiler.programs.transducer import (
    DECODER,
    ENCODER,
    HOT,
    JOINER,
    PROBES,
    borders,
    transducer_info,
)
from npu.runtime.header import RESET, Loop, TransducerInfo
from npu.runtime.host_interface import CALL_SHIFT, CALLS, SYMBOL, TOKENS

CALLS_PER_START = 16
"""Encoder calls that the host may hand over in one start of the chip."""

FRAMES = "frames"


def greedy(model: Model) -> Program:
    """The program of a transducer. Raises ModelError where its graphs do not fit the loop."""
    info, crossing = transducer_info(model, FRAMES), borders(model)
    return Program(
        uses=(
            Use(ENCODER, slots=CALLS_PER_START, probe=PROBES[ENCODER]),
            Use(DECODER, index=SYMBOL),
            Use(JOINER, argmax=SYMBOL, probe=PROBES[JOINER]),
        ),
        entries=(
            EntryPoint(RESET, partial(_reset, info=info)),
            EntryPoint(FRAMES, partial(_frames, info=info, heard=crossing[0])),
        ),
        borders=crossing,
        hot=HOT,
        transducer=info,
    )


def _reset(writer: Writer, info: TransducerInfo) -> Exchange:
    """An utterance begins: clear the states, run the decoder on the start symbol, and halt."""
    writer.reset()
    writer.emit("ADD", rd=SYMBOL, imm=info.start)
    writer.emit("ADD", rd=RUNNING, imm=0)
    writer.jump("decoder")
    return Exchange()


def _frames(writer: Writer, info: TransducerInfo, heard: Border) -> Exchange:
    """The host wrote CALLS encoder inputs: run them and leave TOKENS words in external memory.

    Of several frames that a call gives, RUNNING counts those that are left.
    """
    limit, frames = info.max_symbols_per_frame, heard.frames
    behind = "next call" if frames == 1 else "end of frame"
    tokens_at = writer.reserve(4 * CALLS_PER_START * frames * limit)
    writer.emit("ADD", rd=FEATURES, imm=0)
    writer.emit("ADD", rd=TOKENS, imm=0)
    writer.emit("ADD", rd=RUNNING, imm=1)
    writer.label("next call")
    writer.emit("BEQ", rs1=CALLS, to="done")
    writer.run(ENCODER)
    if frames > 1:
        writer.emit("ADD", rd=RUNNING, imm=frames)
    writer.emit("ADD", rd=FEATURES, rs1=FEATURES, imm=writer.bytes_per_call(ENCODER))
    writer.emit("ADD", rd=CALLS, rs1=CALLS, imm=-1)
    if frames > 1:
        writer.label("next frame")
        writer.emit("SUB", rd=SCRATCH, rs2=RUNNING, imm=-frames)
        writer.bring(heard, SCRATCH)
    writer.emit("ADD", rd=EMITTED, imm=0)
    writer.label("joiner")
    writer.run(JOINER)
    writer.emit("BEQ", rs1=SYMBOL, imm=info.blank, to=behind)
    writer.emit("MUL", rd=SCRATCH, rs1=TOKENS, imm=4)
    # With the frames left behind it, which say whose symbol it is.
    if frames == 1:
        writer.emit("MUL", rd=WORD, rs1=CALLS, imm=1 << CALL_SHIFT)
    else:
        writer.emit("MUL", rd=WORD, rs1=CALLS, imm=frames)
        writer.emit("ADD", rd=WORD, rs1=WORD, rs2=RUNNING, imm=-1)
        writer.emit("MUL", rd=WORD, rs1=WORD, imm=1 << CALL_SHIFT)
    writer.emit("ADD", rd=WORD, rs1=WORD, rs2=SYMBOL)
    writer.emit("STORE_REG", rs1=SCRATCH, rs2=WORD, ext=tokens_at)
    writer.emit("ADD", rd=TOKENS, rs1=TOKENS, imm=1)
    writer.label("decoder")
    writer.run(DECODER)
    writer.emit("BEQ", rs1=RUNNING, to="done")
    writer.emit("ADD", rd=EMITTED, rs1=EMITTED, imm=1)
    writer.emit("BLT", rs1=EMITTED, imm=limit, to="joiner")
    if frames > 1:
        writer.label(behind)
        writer.emit("ADD", rd=RUNNING, rs1=RUNNING, imm=-1)
        writer.emit("BNE", rs1=RUNNING, to="next frame")
    writer.jump("next call")
    writer.label("done")
    writer.emit("HALT")
    return Exchange(
        inputs=writer.inputs[ENCODER],
        loop=Loop(calls=CALLS_PER_START, tokens_address=tokens_at),
    )
