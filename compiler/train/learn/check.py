"""Word errors of a network in training, on clips that it does not learn from."""

import numpy as np
import torch

from compiler.train.learn.decode import greedy
from compiler.train.learn.network import Transducer
from compiler.train.sound.batches import Batch, Listener, padded
from compiler.train.symbols import text_of
from npu.speech.word_errors import align

_TOGETHER = 50
_SILENCE = 8
"""Model steps behind a clip, in which the last word may still come."""


class Check:
    """The clips of a part, as they are, held in memory.

    Parameters
    ----------
    listener : hears them.
    device : of the network.
    """

    def __init__(self, listener: Listener, device: torch.device) -> None:
        heard = sorted((_heard(listener, n) for n in range(len(listener))), key=lambda e: len(e[0]))
        groups = [heard[n : n + _TOGETHER] for n in range(0, len(heard), _TOGETHER)]
        self._groups = [(padded(group), [text_of(each[1]) for each in group]) for group in groups]
        self._device = device

    def word_errors(self, network: Transducer) -> float:
        """Errors over words, by greedy search; 0 where there is no word."""
        errors = words = 0
        for batch, texts in self._groups:
            for text, symbols in zip(texts, self._said(network, batch), strict=True):
                aligned = align(text.split(), text_of(symbols).split())
                errors, words = errors + aligned.errors, words + aligned.words
        return errors / max(1, words)

    def _said(self, network: Transducer, batch: Batch) -> list[list[int]]:
        steps = torch.from_numpy(batch.steps).to(self._device)
        return greedy(network, steps, torch.from_numpy(batch.lengths).to(self._device))


def _heard(listener: Listener, number: int) -> tuple:
    steps, symbols, _ = listener.plain(number)
    behind = np.repeat(steps[-1:], _SILENCE, axis=0)
    none = np.zeros(len(symbols), np.int64)
    return np.concatenate([steps, behind]), symbols, none, none
