"""Figures that are kept beside a model: read and written whole, and stale when things change."""

from dataclasses import replace
from datetime import date

import pytest

from npu.analysis.model_figures import (
    FILE_NAME,
    Figures,
    Heard,
    OnChip,
    Speech,
    Today,
    chip_digest,
    read_figures,
    write_figures,
)
from npu.chip.params import load_params
from npu.errors import ModelError

A, B = "a" * 64, "b" * 64
MEASURED = {"command": "npu", "version": "0.1.0", "day": date(2026, 1, 2), "sources": {"m": A}}
RATE = {"percent": 2.5, "interval": (0.0, 5.0)}
COUNTS = dict.fromkeys(
    ("utterances", "recordings", "words", "substitutions", "deletions", "insertions"), 3
)


def heard(name: str = "people", digest: str = A) -> Heard:
    return Heard(
        **MEASURED,
        set=name,
        set_sha256=digest,
        utterances=3,
        seconds=2.5,
        speakers=0,
        level=0.95,
        speech=Speech(**COUNTS, word_errors=RATE, sentence_errors=RATE),
        delay=None,
        rejection=None,
    )


def on_chip(name: str = "tiny", ms: float = 1.0) -> OnChip:
    return OnChip(
        **MEASURED,
        chip=name,
        chip_sha256=A,
        frames=4,
        decided="no data decide",
        boot_cycles=1,
        cycles={"p50": 8.0},
        ms={"p50": ms},
        energy_uj={"total": 2.0},
    )


TODAY = Today({"m": A}, {"people": A}, {"tiny": A})


def test_what_was_written_is_read(tmp_path):
    assert read_figures(tmp_path) == Figures()
    figures = Figures(sets=(heard(),), chips=(on_chip(),))
    write_figures(tmp_path, figures)
    assert read_figures(tmp_path) == figures


def test_new_records_replace_those_of_the_same_thing():
    before = Figures(sets=(heard("a"), heard("b")), chips=(on_chip("tiny"), on_chip("edge")))
    after = before.with_new([heard("b", B), heard("c")], [on_chip("edge", 2.0)])
    assert [(each.set, each.set_sha256) for each in after.sets] == [("a", A), ("b", B), ("c", A)]
    assert [(each.chip, each.ms["p50"]) for each in after.chips] == [("tiny", 1.0), ("edge", 2.0)]


@pytest.mark.parametrize(
    ("today", "of_the_set", "of_the_chip"),
    [
        (TODAY, [], []),
        (replace(TODAY, sources={"m": B}), ["m has changed"], ["m has changed"]),
        (replace(TODAY, sources={}), ["m has changed"], ["m has changed"]),
        (replace(TODAY, sources={"m": A, "n": A}), ["n has changed"], ["n has changed"]),
        (replace(TODAY, sets={"people": B}), ["the set people has changed"], []),
        (replace(TODAY, chips={"tiny": B}), [], ["the chip tiny has changed"]),
        # A set that is not here is not known to have changed.
        (replace(TODAY, sets={}, chips={}), [], []),
    ],
)
def test_what_has_changed_is_told(today, of_the_set, of_the_chip):
    assert today.stale(heard()) == of_the_set
    assert today.stale(on_chip()) == of_the_chip


def test_a_chip_is_its_parameters():
    tiny = load_params("tiny")
    assert chip_digest(tiny) == chip_digest(load_params("tiny"))
    assert chip_digest(tiny) != chip_digest(load_params("tiny").model_copy(update={"clock_mhz": 1}))
    assert chip_digest(tiny) != chip_digest(load_params("edge"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "JSON"),
        ("[]", "it: "),
        ('{"format": 2}', "format"),
        ('{"more": 1}', "more"),
        ('{"sets": [{"set": "a"}]}', r"sets\.0\.command"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path, text, told):
    (tmp_path / FILE_NAME).write_text(text)
    with pytest.raises(ModelError, match=f"{FILE_NAME}: .*{told}.*npu zoo NAME --measure"):
        read_figures(tmp_path)


def test_wrong_values_are_told(tmp_path):
    write_figures(tmp_path, Figures(sets=(heard(),), chips=(on_chip(),)))
    good = (tmp_path / FILE_NAME).read_text()
    for old, new in ((A, "none"), ("2.5", "-1"), ("2026-01-02", "today"), ("0.95", "NaN")):
        assert old in good
        (tmp_path / FILE_NAME).write_text(good.replace(old, new, 1))
        with pytest.raises(ModelError, match=FILE_NAME):
            read_figures(tmp_path)
