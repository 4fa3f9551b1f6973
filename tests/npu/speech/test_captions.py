"""CTM and SRT, as other people's programs read them."""

import datetime
import subprocess
from dataclasses import replace

import pytest
import srt as reader

from npu.errors import InputError
from npu.speech.captions import ctm, nbest, require_names, srt
from npu.speech.nbest import Alternative
from npu.speech.stream import Spoken, Word


def spoken(text, start, step=0.3) -> Spoken:
    words = [
        Word(word, start + step * n, start + step * (n + 0.9))
        for n, word in enumerate(text.split())
    ]
    return Spoken(text, [], start, start + step * len(words), [], words)


SAID = [spoken("open the window", 0.5), spoken("", 3.0), spoken("it's five", 3599.9)]


def test_sclite_finds_every_word_at_its_time(sclite, tmp_path):
    """Of three words, one is another in the reference, and one is missing there."""
    (tmp_path / "hyp.ctm").write_text(ctm("/x/a b.wav", 1, SAID[:1]))
    assert (tmp_path / "hyp.ctm").read_text().startswith("a_b 1 0.50 0.27 open\n")
    (tmp_path / "ref.stm").write_text("a_b 1 speaker 0.0 2.0 open a window now\n")
    files = ["-r", tmp_path / "ref.stm", "stm", "-h", tmp_path / "hyp.ctm", "ctm"]
    done = subprocess.run(
        [*sclite, *files, "-o", "pralign", "stdout"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "Scores: (#C #S #D #I) 2 1 1 0" in done.stdout


def test_all_that_was_found_has_a_name():
    found = [Alternative("open it", -0.5, 0, 0.6), Alternative("open", -1, 0, 0.4)]
    phrases = [
        replace(SAID[0], alternatives=found),
        SAID[1],
        replace(SAID[2], alternatives=found[:1]),
    ]
    assert nbest("a b.wav", phrases) == (
        "a_b-1-1\t-0.5000\topen it\na_b-1-2\t-1.0000\topen\na_b-3-1\t-0.5000\topen it\n"
    )


def test_srt_is_read_as_it_was_written():
    found = list(reader.parse(srt(SAID), ignore_errors=False))
    assert [each.content for each in found] == ["open the window", "it's five"]
    assert [each.index for each in found] == [1, 2]
    assert found[0].start == datetime.timedelta(seconds=0.5)
    assert found[1].start == datetime.timedelta(seconds=3599.9)
    assert found[1].end == datetime.timedelta(seconds=3600.5)


def test_two_sounds_have_two_names():
    require_names(["a/x.wav", "a/y.wav", "a/x.wav"])
    with pytest.raises(InputError, match="would both be called 'x'"):
        require_names(["a/x.wav", "b/x.flac"])
