"""A transducer whose networks run on the chip and whose search runs on the host.

For images that have an entry for each network, as `compiler.programs.per_graph` makes them. What
crosses from one network to the other goes through the host, so that a search may keep several
hypotheses.
"""

from collections.abc import Mapping
from typing import Any, Generic, TypeVar

import numpy as np

from npu.errors import ImageError
from npu.runtime.header import TensorInfo
from npu.runtime.image import Image
from npu.runtime.sessions import Session
from npu.speech.beam import BeamSearch
from npu.speech.search import GreedySearch, SearchRules

ENCODER, DECODER, JOINER = "encoder", "decoder", "joiner"
"""The entries that a search starts."""


class ChipStarts:
    """What the networks of an image are started by, whatever search asks them.

    Attributes
    ----------
    features : what an encoder call takes.
    cycles : of all starts so far.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self.features: TensorInfo = session.image.header.features
        self.cycles = 0

    def reset(self) -> None:
        """States to their start values."""
        self._session.reset()
        self.cycles += self._session.reset_cycles

    def _start(
        self, entry: str, *inputs: np.ndarray, registers: Mapping[int, int] | None = None
    ) -> list[np.ndarray]:
        """The outputs of an entry."""
        outputs, cycles = self._session.start(entry, inputs, registers)
        self.cycles += cycles
        return outputs


class ChipNetworks(ChipStarts):
    """The networks of an image on the chip (`npu.speech.search.Networks`).

    Raises InputError where the image has no such entry, ImageError where what one gives is not
    what the next takes.
    """

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        header = session.image.header
        encoder, decoder, joiner = (header.entry(name) for name in (ENCODER, DECODER, JOINER))
        if not joiner.inputs:
            raise ImageError(
                f"{header.model}: was compiled for a beam, of which a search knows that keeps "
                "several hypotheses; hear with npu transcribe --decoding-method beam"
            )
        info = header.transducer
        assert info is not None, "an image with features has a transducer"
        self._frames_out = info.frames_out
        fits = (
            (encoder.name, encoder.outputs, joiner.inputs[:1], self._frames_out),
            (decoder.name, decoder.outputs, joiner.inputs[1:], 1),
        )
        for name, given, taken, frames in fits:
            several = () if frames == 1 else (frames,)
            wanted = [((*several, *t.shape), t.dtype) for t in taken]
            if [(t.shape, t.dtype) for t in given] != wanted:
                raise ImageError(f"{header.model}: entry {name!r} does not give what joiner takes")
        if len(joiner.inputs) != 2 or len(joiner.outputs) != 1 or len(decoder.inputs) != 1:
            raise ImageError(f"{header.model}: its entries are not those of a transducer")
        (self._symbol,), (logits,) = decoder.inputs, joiner.outputs
        self._frame_shape = joiner.inputs[0].shape
        self.symbols = int(np.prod(logits.shape))
        if not self.symbols:
            raise ImageError(f"{header.model}: the joiner gives no symbols")

    def encode(self, features: np.ndarray) -> list[np.ndarray]:
        """The encoder on its next call: its frames, in the joiner's scale."""
        (encoded,) = self._start(ENCODER, features)
        return list(encoded.reshape(self._frames_out, *self._frame_shape))

    def predict(self, symbol: int) -> np.ndarray:
        """The decoder on a symbol, in the joiner's scale. Raises InputError for one it has not."""
        taken = np.full(self._symbol.shape, symbol, self._symbol.dtype)
        (predicted,) = self._start(DECODER, taken)
        return predicted

    def join(self, encoded: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """The logits, (symbols,)."""
        (logits,) = self._start(JOINER, encoded, predicted)
        return logits.reshape(-1)


def rules_of(image: Image) -> SearchRules:
    """What a search must know of a transducer's image."""
    info = image.header.transducer
    assert info is not None, "an image with features has a transducer"
    return SearchRules(info.blank, info.start, info.max_symbols_per_frame)


SearchKind = TypeVar("SearchKind", GreedySearch, BeamSearch)


class HostedSession(Generic[SearchKind]):
    """Streaming speech recognition with a search on the host; as `TransducerSession` to use.

    Attributes
    ----------
    session : the chip; image, machine, boot_cycles : its own.
    search : asks the networks.
    cycles : of every encoder call so far with all that the search has asked in it, and the restart
        before it if there was one.
    """

    def __init__(self, session: Session, networks: ChipStarts, search: SearchKind) -> None:
        self.session = session
        self.search: SearchKind = search
        self.image, self.machine = session.image, session.machine
        self.boot_cycles = session.boot_cycles
        self.cycles: list[int] = []
        self._networks, self._counted = networks, networks.cycles

    @property
    def reset_cycles(self) -> int:
        """Of the last reset, without the decoder's run on the start symbol."""
        return self.session.reset_cycles

    def reset(self) -> None:
        """Begin an utterance."""
        self.search.reset()
        self._counted = self._networks.cycles

    def restart(self) -> None:
        """Begin another utterance amid a stream: as `reset`, but it counts to the next call."""
        self.search.restart()

    def accept_calls(self, features: np.ndarray) -> list[Any]:
        """Take the next encoder calls, (calls, frames, features) int8; what the search says then.

        Raises InputError when `features` does not fit.
        """
        answers: list[Any] = []
        for call in range(len(features)):
            answers += self.search.accept_calls(features[call : call + 1])
            self.cycles.append(self._networks.cycles - self._counted)
            self._counted = self._networks.cycles
        return answers


class HostSearchSession(HostedSession[GreedySearch]):
    """With a greedy search on the host: of each frame that the encoder gives, its symbols."""

    def __init__(self, image: Image, **options: Any) -> None:
        session = Session(image, **options)
        networks = ChipNetworks(session)
        super().__init__(session, networks, GreedySearch(networks, rules_of(image)))

    def accept(self, features: np.ndarray) -> list[int]:
        """As `accept_calls`, all symbols in one list."""
        return [symbol for symbols in self.accept_calls(features) for symbol in symbols]
