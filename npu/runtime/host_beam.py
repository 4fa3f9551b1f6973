"""A beam search on the host, with the networks on the chip: what is known of a hypothesis lies in a
slot there.

For images that `compiler.programs.branching` makes.
"""

from typing import Any

import numpy as np

from npu.errors import ImageError, InputError
from npu.runtime.host_interface import FRAME, FROM, SYMBOL, TO
from npu.runtime.host_search import (
    DECODER,
    ENCODER,
    JOINER,
    ChipStarts,
    HostedSession,
    rules_of,
)
from npu.runtime.image import Image
from npu.runtime.sessions import Session
from npu.speech.beam import BeamRules, BeamSearch
from npu.speech.hotwords import Boost
from npu.speech.scores import Scorer
from npu.speech.search import SearchRules


def is_for_beam(image: Image) -> bool:
    """Whether it is a transducer's with slots for hypotheses, as far as its entries say."""
    entries = {entry.name: entry for entry in image.header.entries}
    is_whole = image.header.transducer is not None and {ENCODER, DECODER, JOINER} <= set(entries)
    return is_whole and not entries[JOINER].inputs


def most_slots(beam: BeamRules, rules: SearchRules) -> int:
    """How many slots a search takes: the start, what is kept, and in a call as many again for each
    symbol.
    """
    most = 1 if beam.one_symbol else rules.max_symbols_per_frame
    return 1 + beam.active_paths * (1 + most)


class Slot:
    """A place of a hypothesis on the chip; free again when nobody holds this."""

    def __init__(self, free: list[int]) -> None:
        self._free, self.number = free, free.pop()

    def __del__(self) -> None:
        self._free.append(self.number)


class ChipBranches(ChipStarts):
    """The networks of an image on the chip (`npu.speech.beam.Branching`); of a prediction, the host
    has no more than its slot.

    Raises ImageError where the image has no slots.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        header = session.image.header
        if not is_for_beam(session.image):
            raise ImageError(
                f"{header.model}: was not compiled for a beam, it has no slots for hypotheses; "
                "give the model itself"
            )
        places, logits = header.entry(DECODER).outputs, header.entry(JOINER).outputs
        if len(places) != 1 or len(places[0].shape) != 2 or places[0].shape[0] < 2:
            raise ImageError(f"{header.model}: its decoder must leave two slots or more")
        assert header.transducer is not None, "an image with features has a transducer"
        symbols = len(header.transducer.tokens)
        if len(logits) != 1 or logits[0].dtype != "int8" or np.prod(logits[0].shape) != symbols:
            raise ImageError(f"{header.model}: its joiner must give {symbols} logits, as int8")
        self._slots, self._n_bytes = places[0].shape
        self._frames_out = header.transducer.frames_out
        self.symbols = symbols
        self._forget()

    @property
    def slots(self) -> int:
        """How many there are."""
        return self._slots

    def reset(self) -> None:
        """States to their start values; what was predicted before is no more."""
        super().reset()
        self._forget()

    def encode(self, features: np.ndarray) -> range:
        """The encoder on its next call: the numbers of its frames, which stay on the chip."""
        self._start(ENCODER, features)
        return range(self._frames_out)

    def predict_from(self, state: Slot | None, symbol: int) -> tuple[Any, Slot]:
        """The prediction network on a symbol, from a slot to a free one.

        Raises InputError for a symbol that there is not, and where no slot is free.
        """
        if not 0 <= symbol < self.symbols:
            raise InputError(f"a symbol must be 0 to {self.symbols - 1}, not {symbol}")
        if not self._free:
            raise InputError(
                f"{self._session.image.header.model}: its {self._slots} slots are taken"
            )
        slot = Slot(self._free)
        number = 0 if state is None else state.number
        registers = {FROM: self._at(number), TO: self._at(slot.number), SYMBOL: symbol}
        self._start(DECODER, registers=registers)
        return slot, slot

    def join(self, encoded: int, predicted: Slot) -> np.ndarray:
        """The logits of a frame, (symbols,)."""
        registers = {FROM: self._at(predicted.number)}
        if self._frames_out > 1:
            registers[FRAME] = encoded
        (logits,) = self._start(JOINER, registers=registers)
        return logits.reshape(-1)

    def _forget(self) -> None:
        # The first slot has the start. Slots that somebody still holds go back to the old list.
        self._free = list(range(self._slots - 1, 0, -1))

    def _at(self, slot: int) -> int:
        return slot * self._n_bytes


class BeamSession(HostedSession[BeamSearch]):
    """With a beam search on the host: of each call, what `BeamSearch.accept_calls` gives.

    Parameters
    ----------
    image : of a program with slots.
    beam : how wide the search is.
    blank_penalty, temperature : as `npu.speech.scores.Scorer` takes them.
    boost, lattice : as `npu.speech.beam.BeamSearch` takes them.
    options : as `npu.runtime.sessions.Session` takes them.

    Raises ImageError where the image has no slots, or not enough.
    """

    def __init__(
        self,
        image: Image,
        beam: BeamRules,
        *,
        blank_penalty: float = 0.0,
        temperature: float = 1.0,
        boost: Boost | None = None,
        lattice: int | None = None,
        **options: Any,
    ) -> None:
        session = Session(image, **options)
        networks, rules = ChipBranches(session), rules_of(image)
        (logits,) = image.header.entry(JOINER).outputs
        if logits.scale is None:
            raise ImageError(f"{image.header.model}: its logits have no scale")
        wanted = most_slots(beam, rules)
        if networks.slots < wanted:
            raise ImageError(
                f"{image.header.model}: has {networks.slots} slots, {beam.active_paths} active "
                f"paths take {wanted}; take fewer --num-active-paths, or give the model itself"
            )
        scorer = Scorer(logits.scale, rules.blank, blank_penalty, temperature)
        search = BeamSearch(networks, rules, scorer, beam, boost, lattice)
        super().__init__(session, networks, search)

    @property
    def beam(self) -> BeamSearch:
        """The search, as of anything that has one (`npu.speech.phrases.Beam`)."""
        return self.search
