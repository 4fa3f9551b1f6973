"""An entry for each network of a transducer, for a search on the host with several hypotheses.

What the prediction network knows of a hypothesis, its states and what the joiner is to see, lies in
a slot in external memory. The host says in registers from which slot it goes on, with which symbol,
and which slot gets what comes out; the first one has the start. The encoder's output stays on the
chip, and the host sees logits alone.
"""

import math
from typing import Literal

from compiler.frontends.models import Model
from compiler.programs.graph import one_call
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
from npu.runtime.header import RESET, TensorInfo
from npu.runtime.host_interface import FRAME, FROM, SYMBOL, TO


def branching(model: Model, slots: int) -> Program:
    """The program of a transducer, with so many slots, at least 2.

    Raises ModelError where its graphs do not fit together.
    """
    if slots < 2:
        raise ValueError(f"slots must be at least 2, not {slots}")
    crossing = borders(model)
    entries = _Entries(slots, crossing[0])
    return Program(
        uses=(
            Use(ENCODER, probe=PROBES[ENCODER]),
            Use(DECODER, index=SYMBOL),
            Use(JOINER, stores=True, probe=PROBES[JOINER]),
        ),
        entries=(
            EntryPoint(RESET, entries.reset),
            EntryPoint(ENCODER, entries.encoder),
            EntryPoint(DECODER, entries.decoder),
            EntryPoint(JOINER, entries.joiner),
        ),
        borders=crossing,
        hot=HOT,
        transducer=transducer_info(model, ENCODER),
    )


class _Entries:
    """The entries of one program; `reset`, which is written first, reserves the slots."""

    def __init__(self, slots: int, heard: Border) -> None:
        self._slots, self._heard, self._address = slots, heard, 0

    def reset(self, writer: Writer) -> Exchange:
        """States to their start values, also in the first slot."""
        self._address = writer.reserve(self._slots * self._slot_bytes(writer))
        writer.reset()
        self._move(writer, "STORE", 0)
        writer.emit("HALT")
        return Exchange()

    def encoder(self, writer: Writer) -> Exchange:
        """On the next call; what it gives stays."""
        return one_call(writer, ENCODER)

    def decoder(self, writer: Writer) -> Exchange:
        """On SYMBOL, from one slot to another; what it gives are all slots."""
        self._move(writer, "LOAD", FROM)
        writer.run(DECODER)
        self._move(writer, "STORE", TO)
        writer.emit("HALT")
        shape = (self._slots, self._slot_bytes(writer))
        slots = TensorInfo(
            name="slots",
            dtype="uint8",
            shape=shape,
            n_bytes=math.prod(shape),
            address=self._address,
        )
        return Exchange(outputs=(slots,))

    def joiner(self, writer: Writer) -> Exchange:
        """The logits of a slot, of which no more is loaded than the joiner takes, and of FRAME,
        where a call of the encoder gives several.
        """
        self._move(writer, "LOAD", FROM, crosses=True)
        if self._heard.frames > 1:
            writer.bring(self._heard, FRAME)
        return one_call(writer, JOINER)

    def _slot_bytes(self, writer: Writer) -> int:
        return sum(kept.n_bytes for kept in writer.kept(DECODER))

    def _move(
        self, writer: Writer, opcode: Literal["LOAD", "STORE"], slot: int, crosses: bool = False
    ) -> None:
        """Between SRAM and the slot of a register: all of it, or what `crosses` alone."""
        address = self._address
        for kept in writer.kept(DECODER):
            if kept.crosses or not crosses:
                writer.emit(opcode, rs1=slot, ext=address, sram=kept.sram, beats=kept.beats)
            address += kept.n_bytes
