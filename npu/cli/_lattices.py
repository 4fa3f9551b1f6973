"""What the commands share that make lattices: their options, and the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import click

from npu.analysis.lattices import lattices_report
from npu.cli._decoding import Decoding
from npu.cli._output import emit_json, emit_text
from npu.errors import InputError
from npu.files import require_place_of_folder, write_folder
from npu.speech.captions import name_of
from npu.speech.lattice import Lattice
from npu.speech.lattice_files import dot, kaldi, openfst, words_of
from npu.speech.listen import Event, Kind
from npu.speech.ways import LABELS

MOST_LABELS = 1000
KALDI, JSON, DOT, FOLDER = ".lat", ".json", ".dot", "/"

labels_option = click.option(
    "--lattice-labels",
    type=click.IntRange(1, MOST_LABELS),
    metavar="N",
    help="Of a lattice: a hypothesis that is given up goes on as one that ends with the same N "
    f"symbols; {LABELS} without it.",
)


def with_lattice(
    decoding: Decoding, wanted: bool, labels: int | None, *, texts: bool = False
) -> Decoding:
    """A decoding that makes lattices, if they are wanted by `--lattice`.

    texts : a beam makes them in any case: other texts, or how sure words are, are told, and of a
        lattice that is known much better (record 0020).

    Raises InputError where it cannot, and for `labels` of none.
    """
    if not wanted:
        if labels is not None:
            raise InputError("--lattice-labels is of a lattice: add --lattice")
        if decoding.beam is None or not texts:
            return decoding
    if decoding.beam is None:
        raise InputError("--lattice is of a beam: add --decoding-method beam")
    return replace(decoding, lattice_labels=labels or LABELS)


def require_place_of_lattices(place: str | None) -> str | None:
    """The file among the places that are written; None for a folder, which is asked for here.

    Raises InputError for an ending of no form, NpuError for a folder that cannot be had.
    """
    if place is None:
        return None
    if place.endswith(FOLDER):
        require_place_of_folder(place)
        return None
    if Path(place).suffix not in (KALDI, JSON, DOT):
        raise InputError(
            f"--lattice {place}: the ending says the form: {KALDI} for Kaldi's, {JSON}, or {DOT} "
            f"for Graphviz; a folder, with {FOLDER} at its end, gets OpenFst's texts"
        )
    return place


class LatticeFolder:
    """Writes the lattice of each phrase into a folder when the phrase has ended, as OpenFst's text.

    Of an endless sound, the words that have a number are kept, and nothing else.

    Parameters
    ----------
    place : the folder, with FOLDER at its end. sound : that is heard, for the names of the files.

    Raises InputError for another form, NpuError for a folder that cannot be had.
    """

    def __init__(self, place: str, sound: str) -> None:
        if not place.endswith(FOLDER):
            raise InputError(
                f"--lattice {place}: of a sound that comes each phrase is written when it has "
                f"ended; name a folder, with {FOLDER} at its end"
            )
        require_place_of_folder(place)
        self._place, self._name = place, name_of(sound)
        self._words: list[str] = []

    def tell(self, event: Event) -> None:
        """Write what a phrase that has ended may have been; other events are nothing."""
        lattice = event.spoken.lattice
        if event.kind != Kind.FINAL or lattice is None:
            return
        files = openfst({f"{self._name}-{event.phrase + 1}": lattice}, self._words)
        write_folder(self._place, {name: _bytes(text) for name, text in files.items()})
        self._words = words_of([lattice], self._words)


def write_lattices(place: str, lattices: Mapping[str, Lattice]) -> None:
    """Write them in the form that the place asks for: all, or nothing."""
    ending = Path(place).suffix
    if place.endswith(FOLDER):
        write_folder(place, {name: _bytes(text) for name, text in openfst(lattices).items()})
    elif ending == JSON:
        emit_json(lattices_report(lattices), place)
    else:
        emit_text(kaldi(lattices) if ending == KALDI else dot(lattices), place)


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
