"""A transducer whose networks run on the chip and whose search runs on the host.

For images that have an entry for each network, as `compiler.programs.per_graph` makes them. What
crosses from one network to the other goes through the host, so that a search may keep several
hypotheses.
"""

from typing import Any

import numpy as np

from npu.errors import ImageError
from npu.runtime.header import TensorInfo
from npu.runtime.image import Image
from npu.runtime.sessions import Session
from npu.speech.search import GreedySearch, SearchRules

ENCODER, DECODER, JOINER = "encoder", "decoder", "joiner"
"""The entries that a search starts."""


class ChipNetworks:
    """The networks of an image on the chip (`npu.speech.search.Networks`).

    Raises InputError where the image has no such entry, ImageError where what one gives is not
    what the next takes.

    Attributes
    ----------
    cycles : of all starts so far.
    """

    def __init__(self, session: Session) -> None:
        header = session.image.header
        self._session = session
        self.cycles = 0
        self.features: TensorInfo = header.features
        encoder, decoder, joiner = (header.entry(name) for name in (ENCODER, DECODER, JOINER))
        if not joiner.inputs:
            raise ImageError(
                f"{header.model}: was compiled for a beam, of which a search knows that keeps "
                "several hypotheses; hear with npu transcribe --decoding-method beam"
            )
        fits = (
            (encoder.name, encoder.outputs, joiner.inputs[:1]),
            (decoder.name, decoder.outputs, joiner.inputs[1:]),
        )
        for name, given, taken in fits:
            if [(t.shape, t.dtype) for t in given] != [(t.shape, t.dtype) for t in taken]:
                raise ImageError(f"{header.model}: entry {name!r} does not give what joiner takes")
        if len(joiner.inputs) != 2 or len(joiner.outputs) != 1 or len(decoder.inputs) != 1:
            raise ImageError(f"{header.model}: its entries are not those of a transducer")
        (self._symbol,), (logits,) = decoder.inputs, joiner.outputs
        self.symbols = int(np.prod(logits.shape))
        if not self.symbols:
            raise ImageError(f"{header.model}: the joiner gives no symbols")

    def reset(self) -> None:
        """States to their start values."""
        self._session.reset()
        self.cycles += self._session.reset_cycles

    def encode(self, features: np.ndarray) -> np.ndarray:
        """The encoder on its next call, in the joiner's scale."""
        return self._start(ENCODER, features)

    def predict(self, symbol: int) -> np.ndarray:
        """The decoder on a symbol, in the joiner's scale. Raises InputError for one it has not."""
        return self._start(DECODER, np.full(self._symbol.shape, symbol, self._symbol.dtype))

    def join(self, encoded: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """The logits, (symbols,)."""
        return self._start(JOINER, encoded, predicted).reshape(-1)

    def _start(self, entry: str, *inputs: np.ndarray) -> np.ndarray:
        (output,), cycles = self._session.start(entry, inputs)
        self.cycles += cycles
        return output


class HostSearchSession:
    """Streaming speech recognition with a greedy search on the host; as `TransducerSession` to use.

    Attributes
    ----------
    session : the chip; image, machine, boot_cycles : its own.
    cycles : of every encoder call so far with the symbols that it emitted, and
        the restart before it if there was one.
    """

    def __init__(self, image: Image, **options: Any) -> None:
        self.session = Session(image, **options)
        self.image, self.machine = image, self.session.machine
        self.boot_cycles = self.session.boot_cycles
        self._networks = ChipNetworks(self.session)
        info = image.header.transducer
        assert info is not None, "an image with features has a transducer"
        rules = SearchRules(info.blank, info.start, info.max_symbols_per_frame)
        self._search = GreedySearch(self._networks, rules)
        self.cycles: list[int] = []
        self._counted = self._networks.cycles

    @property
    def reset_cycles(self) -> int:
        """Of the last reset, without the decoder's run on the start symbol."""
        return self.session.reset_cycles

    def reset(self) -> None:
        """Begin an utterance."""
        self._search.reset()
        self._counted = self._networks.cycles

    def restart(self) -> None:
        """Begin another utterance amid a stream: as `reset`, but it counts to the next call."""
        self._search.restart()

    def accept(self, features: np.ndarray) -> list[int]:
        """As `accept_calls`, the symbols of all calls in one list."""
        return [symbol for symbols in self.accept_calls(features) for symbol in symbols]

    def accept_calls(self, features: np.ndarray) -> list[list[int]]:
        """Take the next encoder calls, (calls, frames, features) int8; the symbols of each.

        Raises InputError when `features` does not fit.
        """
        answers: list[list[int]] = []
        for call in range(len(features)):
            answers += self._search.accept_calls(features[call : call + 1])
            self.cycles.append(self._networks.cycles - self._counted)
            self._counted = self._networks.cycles
        return answers
