"""Word errors of a network in training, on clips that it does not learn from."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from compiler.train.learn.decode import greedy
from compiler.train.learn.network import Transducer
from compiler.train.sound.batches import Batch, Listener, padded
from compiler.train.symbols import text_of
from npu.speech.word_errors import align

_TOGETHER = 50
_SILENCE = 8
"""Model steps behind a clip, in which the last word may still come."""


Groups = Sequence[tuple[Batch, Sequence[str]]]
"""Clips of about one length side by side, and their texts."""


class Check:
    """The clips of a part, as they are, held in memory.

    Parameters
    ----------
    listener : hears them.
    """

    def __init__(self, listener: Listener) -> None:
        heard = [listener.plain(number) for number in range(len(listener))]
        self._groups = grouped([(steps, text_of(symbols)) for steps, symbols, _ in heard], _SILENCE)

    def word_errors(self, network: Transducer) -> float:
        """Errors over words, by greedy search; 0 where there is no word."""
        return errors_of(network, self._groups)


def grouped(clips: Sequence[tuple[NDArray[np.float32], str]], silence: int) -> Groups:
    """Clips (steps, features) with their texts; the last step `silence` times behind each."""
    items = [
        (np.concatenate([steps, np.repeat(steps[-1:], silence, axis=0)]), text)
        for steps, text in sorted(clips, key=lambda clip: len(clip[0]))
    ]
    none = np.zeros(0, np.int64)
    groups = [items[n : n + _TOGETHER] for n in range(0, len(items), _TOGETHER)]
    return [
        (padded([(steps, none, none, none) for steps, _ in group]), [text for _, text in group])
        for group in groups
    ]


def errors_of(network: Transducer, groups: Groups) -> float:
    """Errors over words, by greedy search; 0 where there is no word."""
    device, errors, words = network.embedding.device, 0, 0
    for batch, texts in groups:
        steps, lengths = torch.from_numpy(batch.steps), torch.from_numpy(batch.lengths)
        heard = greedy(network, steps.to(device), lengths.to(device))
        for text, symbols in zip(texts, heard, strict=True):
            aligned = align(text.split(), text_of(symbols).split())
            errors, words = errors + aligned.errors, words + aligned.words
    return errors / max(1, words)
