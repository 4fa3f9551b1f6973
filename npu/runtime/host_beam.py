"""A beam search on the host, with the networks on the chip: what is known of a hypothesis lies in a
slot there.

For images that `compiler.programs.branching` makes.
"""

from typing import Any

import numpy as np

from npu.errors import ImageError, InputError
from npu.runtime.header import TensorInfo
from npu.runtime.host_interface import FROM, SYMBOL, TO
from npu.runtime.host_search import DECODER, ENCODER, JOINER
from npu.runtime.image import Image
from npu.runtime.sessions import Session
from npu.speech.beam import BeamRules, BeamSearch
from npu.speech.emission import Emission
from npu.speech.hotwords import Boost
from npu.speech.scores import Scorer
from npu.speech.search import SearchRules


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


class ChipBranches:
    """The networks of an image on the chip (`npu.speech.beam.Branching`); of a prediction, the host
    has no more than its slot.

    Raises InputError where the image has no such entry, ImageError where it has no slots.

    Attributes
    ----------
    cycles : of all starts so far.
    """

    def __init__(self, session: Session) -> None:
        header = session.image.header
        self._session = session
        self.cycles = 0
        self.features: TensorInfo = header.features
        entries = {entry.name: entry for entry in header.entries}
        if not {ENCODER, DECODER, JOINER} <= set(entries) or entries[JOINER].inputs:
            raise ImageError(
                f"{header.model}: was not compiled for a beam, it has no slots for hypotheses; "
                "give the model itself"
            )
        places, logits = entries[DECODER].outputs, entries[JOINER].outputs
        if len(places) != 1 or len(places[0].shape) != 2 or places[0].shape[0] < 2:
            raise ImageError(f"{header.model}: its decoder must leave two slots or more")
        assert header.transducer is not None, "an image with features has a transducer"
        symbols = len(header.transducer.tokens)
        if len(logits) != 1 or logits[0].dtype != "int8" or np.prod(logits[0].shape) != symbols:
            raise ImageError(f"{header.model}: its joiner must give {symbols} logits, as int8")
        self._slots, self._n_bytes = places[0].shape
        self.symbols = symbols
        self._forget()

    @property
    def slots(self) -> int:
        """How many there are."""
        return self._slots

    def reset(self) -> None:
        """States to their start values; what was predicted before is no more."""
        self._session.reset()
        self.cycles += self._session.reset_cycles
        self._forget()

    def encode(self, features: np.ndarray) -> np.ndarray:
        """The encoder on its next call; what it gives stays on the chip."""
        self._start(ENCODER, [features])
        return np.empty(0, np.int8)

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
        self._start(
            DECODER, [], {FROM: self._at(number), TO: self._at(slot.number), SYMBOL: symbol}
        )
        return slot, slot

    def join(self, encoded: np.ndarray, predicted: Slot) -> np.ndarray:
        """The logits, (symbols,)."""
        (logits,) = self._start(JOINER, [], {FROM: self._at(predicted.number)})
        return logits.reshape(-1)

    def _forget(self) -> None:
        # The first slot has the start. Slots that somebody still holds go back to the old list.
        self._free = list(range(self._slots - 1, 0, -1))

    def _at(self, slot: int) -> int:
        return slot * self._n_bytes

    def _start(
        self, entry: str, inputs: list[np.ndarray], registers: dict[int, int] | None = None
    ) -> list[np.ndarray]:
        outputs, cycles = self._session.start(entry, inputs, registers)
        self.cycles += cycles
        return outputs


class BeamSession:
    """Streaming speech recognition with a beam search on the host; as `TransducerSession` to use.

    Parameters
    ----------
    image : of a program with slots.
    beam : how wide the search is.
    blank_penalty, temperature : as `npu.speech.scores.Scorer` takes them.
    boost : phrases that are to be heard more readily.
    options : as `npu.runtime.sessions.Session` takes them.

    Attributes
    ----------
    session : the chip; image, machine, boot_cycles : its own.
    search : the search.
    cycles : of every encoder call so far, of all hypotheses, and the restart before it if there was
        one.

    Raises ImageError where the image has no slots.
    """

    def __init__(
        self,
        image: Image,
        beam: BeamRules,
        *,
        blank_penalty: float = 0.0,
        temperature: float = 1.0,
        boost: Boost | None = None,
        **options: Any,
    ) -> None:
        self.session = Session(image, **options)
        self.image, self.machine = image, self.session.machine
        self.boot_cycles = self.session.boot_cycles
        self._networks = ChipBranches(self.session)
        info, (logits,) = image.header.transducer, image.header.entry(JOINER).outputs
        assert info is not None, "an image with features has a transducer"
        if logits.scale is None:
            raise ImageError(f"{image.header.model}: its logits have no scale")
        rules = SearchRules(info.blank, info.start, info.max_symbols_per_frame)
        wanted, there = most_slots(beam, rules), self._networks.slots
        if there < wanted:
            raise ImageError(
                f"{image.header.model}: has {there} slots, {beam.active_paths} active paths take "
                f"{wanted}; take fewer --num-active-paths, or give the model itself"
            )
        scorer = Scorer(logits.scale, info.blank, blank_penalty, temperature)
        self.search = BeamSearch(self._networks, rules, scorer, beam, boost)
        self.cycles: list[int] = []
        self._counted = self._networks.cycles

    @property
    def beam(self) -> BeamSearch:
        """The search."""
        return self.search

    def reset(self) -> None:
        """Begin an utterance."""
        self.search.reset()
        self._counted = self._networks.cycles

    def restart(self) -> None:
        """Begin another utterance amid a stream: as `reset`, but it counts to the next call."""
        self.search.restart()

    def accept_calls(self, features: np.ndarray) -> list[Emission | None]:
        """Take the next encoder calls, as `npu.speech.beam.BeamSearch` does."""
        answers: list[Emission | None] = []
        for call in range(len(features)):
            answers += self.search.accept_calls(features[call : call + 1])
            self.cycles.append(self._networks.cycles - self._counted)
            self._counted = self._networks.cycles
        return answers
