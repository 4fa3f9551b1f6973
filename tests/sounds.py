"""Sounds for tests: the bundled utterances in a row, and what was misheard of them."""

import numpy as np
import soundfile

RATE = 16_000


def joined(utterances, gap):
    """The bundled utterances one after the other, `gap` seconds of zeros behind each."""
    parts = []
    for path in sorted(utterances.glob("*.wav")):
        samples, _ = soundfile.read(path)
        parts += [samples, np.zeros(int(gap * RATE))]
    return np.concatenate(parts)


def word_errors(found: list[str], wanted: list[str]) -> int:
    """Words to insert, delete or replace, over the whole sequence."""
    a, b = " ".join(found).split(), " ".join(wanted).split()
    row = list(range(len(b) + 1))
    for i, word in enumerate(a):
        above, row = row, [i + 1]
        for j, other in enumerate(b):
            row.append(min(above[j + 1] + 1, row[j] + 1, above[j] + (word != other)))
    return row[-1]
