"""The greedy search of a transducer as a loop on the chip: the host hands over calls of features
and finds symbols.

As `npu.speech.search.GreedySearch` decides.
"""

from functools import partial

from compiler.emit import Emitter
from compiler.model import Model
from compiler.program import EntryPoint, Exchange, Program, Use
from compiler.programs.transducer import (
    BORDERS,
    DECODER,
    ENCODER,
    HOT,
    JOINER,
    PROBES,
    transducer_info,
)
from compiler.registers import (
    CALLS,
    EMITTED,
    FEATURES,
    RUNNING,
    SCRATCH,
    SYMBOL,
    TOKENS,
    WORD,
)
from npu.runtime.header import RESET, Loop, TransducerInfo
from npu.runtime.host_interface import CALL_SHIFT

CALLS_PER_START = 16
"""Encoder calls that the host may hand over in one start of the chip."""

FRAMES = "frames"


def greedy(model: Model) -> Program:
    """The program of a transducer. Raises ModelError where its graphs do not fit the loop."""
    info = transducer_info(model, FRAMES)
    return Program(
        uses=(
            Use(ENCODER, slots=CALLS_PER_START, probe=PROBES[ENCODER]),
            Use(DECODER, index=SYMBOL),
            Use(JOINER, argmax=SYMBOL, probe=PROBES[JOINER]),
        ),
        entries=(
            EntryPoint(RESET, partial(_reset, info=info)),
            EntryPoint(FRAMES, partial(_frames, info=info)),
        ),
        borders=BORDERS,
        hot=HOT,
        transducer=info,
    )


def _reset(emitter: Emitter, info: TransducerInfo) -> Exchange:
    """An utterance begins: clear the states, run the decoder on the start symbol, and halt."""
    emitter.reset()
    emitter.emit("ADD", rd=SYMBOL, imm=info.start)
    emitter.emit("ADD", rd=RUNNING, imm=0)
    emitter.jump("decoder")
    return Exchange()


def _frames(emitter: Emitter, info: TransducerInfo) -> Exchange:
    """The host wrote CALLS encoder inputs: run them and leave TOKENS words in external memory."""
    limit = info.max_symbols_per_frame
    tokens_at = emitter.memory.reserve(4 * CALLS_PER_START * limit)
    emitter.emit("ADD", rd=FEATURES, imm=0)
    emitter.emit("ADD", rd=TOKENS, imm=0)
    emitter.emit("ADD", rd=RUNNING, imm=1)
    emitter.label("next call")
    emitter.emit("BEQ", rs1=CALLS, to="done")
    emitter.run(ENCODER)
    emitter.emit("ADD", rd=FEATURES, rs1=FEATURES, imm=emitter.bytes_per_call(ENCODER))
    emitter.emit("ADD", rd=CALLS, rs1=CALLS, imm=-1)
    emitter.emit("ADD", rd=EMITTED, imm=0)
    emitter.label("joiner")
    emitter.run(JOINER)
    emitter.emit("BEQ", rs1=SYMBOL, imm=info.blank, to="next call")
    emitter.emit("MUL", rd=SCRATCH, rs1=TOKENS, imm=4)
    # With the calls left behind it, which say whose symbol it is.
    emitter.emit("MUL", rd=WORD, rs1=CALLS, imm=1 << CALL_SHIFT)
    emitter.emit("ADD", rd=WORD, rs1=WORD, rs2=SYMBOL)
    emitter.emit("STORE_REG", rs1=SCRATCH, rs2=WORD, ext=tokens_at)
    emitter.emit("ADD", rd=TOKENS, rs1=TOKENS, imm=1)
    emitter.label("decoder")
    emitter.run(DECODER)
    emitter.emit("BEQ", rs1=RUNNING, to="done")
    emitter.emit("ADD", rd=EMITTED, rs1=EMITTED, imm=1)
    emitter.emit("BLT", rs1=EMITTED, imm=limit, to="joiner")
    emitter.jump("next call")
    emitter.label("done")
    emitter.emit("HALT")
    return Exchange(
        inputs=emitter.inputs[ENCODER],
        loop=Loop(calls=CALLS_PER_START, tokens_address=tokens_at),
    )
