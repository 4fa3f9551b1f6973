"""Sets of utterances: what a line may hold, and what is told of one that does not."""

import hashlib
import json

import pytest

from npu import zoo
from npu.errors import InputError
from npu.speech.spoken_sets import MOST_WORDS, read_set, set_digest

GOOD = {"audio": "a.wav", "text": "Open  THE window"}


@pytest.fixture
def folder(tmp_path):
    """A folder with two sounds, which nobody listens to."""
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def put(folder, *lines):
    texts = (line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "set.jsonl").write_text("\n".join(texts), encoding="utf-8")
    return folder / "set.jsonl"


def test_a_line_says_what_is_spoken_where(folder):
    timed = [["open", 0, 0.2], ["The", 0.2, 0.3], ["window", 0.3, 0.9]]
    more = {"speaker": "ann", "recording": "tape", "words": timed, "about": {"noise": 3}}
    file = put(folder, {**GOOD, **more}, "", {"audio": "b.wav", "text": " "}, "")
    first, second = read_set(folder)
    assert read_set(file) == [first, second]
    assert first.words == ("open", "the", "window") and first.ends == (0.2, 0.3, 0.9)
    assert (first.speaker, first.recording, first.line) == ("ann", "tape", 1)
    assert first.path == folder / "a.wav"
    assert (second.words, second.speaker, second.recording) == ((), None, "b.wav")
    assert second.ends is None and second.line == 3


def test_windows_writes_sets_too(folder):
    text = "\ufeff" + json.dumps(GOOD) + "\r\n"
    (folder / "set.jsonl").write_bytes(text.encode())
    assert len(read_set(folder)) == 1


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{", "is no JSON object: EOF.* at column 1; correct the line"),
        ("[1]", r"must be a JSON object, not \[1\]"),
        ("1" * 5000, "must be a JSON object|is no JSON object"),
        ("[" * 100_000, "is no JSON object: recursion limit"),
        ({"audio": "a.wav"}, "text is missing"),
        ({**GOOD, "text": 5}, "text must be a valid string, not 5"),
        ({**GOOD, "audio": ""}, 'audio must have at least 1 character, not ""'),
        (
            {**GOOD, "speakers": "ann"},
            "speakers is not a known key; there are audio, text, speaker",
        ),
        ({**GOOD, "words": [["open", 0]]}, "words.0.2 is missing"),
        (
            {**GOOD, "words": []},
            r'words must be those of the text, \["open", "the", "window"\], not',
        ),
        ({**GOOD, "text": "a", "words": [["a", 2, 1]]}, r'"a" ends at 1 s, before its 2'),
        ({**GOOD, "text": "a", "words": [["a", -1, 1]]}, "words.0.1 must be greater than or equal"),
        ('{"audio": "a.wav", "text": "a", "words": [["a", 0, NaN]]}', "words.0.2 must be a finite"),
        ({**GOOD, "text": "a " * (MOST_WORDS + 1)}, "text has 2,001 words, at most 2,000"),
        ({**GOOD, "audio": "c.wav"}, r"there is no sound \".*c.wav\"; audio is seen from"),
        ({**GOOD, "audio": "a\0.wav"}, r"there is no sound \".*a\\u0000.wav\""),
        (
            '{"audio": "\\ud800.wav", "text": "a"}',
            "unexpected end of hex escape at column 18",
        ),
        ({"audio": "b.wav", "text": ""}, 'audio "b.wav" is that of line 1 too'),
    ],
)
def test_a_wrong_line_is_told_with_its_number(folder, line, told):
    put(folder, {"audio": "b.wav", "text": "a"}, line)
    with pytest.raises(InputError, match=rf"set.jsonl: line 2: .*{told}") as error:
        read_set(folder)
    assert len(str(error.value)) < 1000 and str(error.value).isprintable()


def test_what_is_no_set_is_refused(folder):
    for place, told in ((folder, "No such file"), (folder / "none", "No such file")):
        with pytest.raises(InputError, match=told):
            read_set(place)
    put(folder, "", "")
    with pytest.raises(InputError, match="holds no utterance; give one a line"):
        read_set(folder)
    (folder / "set.jsonl").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="is not UTF-8"):
        read_set(folder)


def test_the_zoo_has_a_set_of_its_sounds(utterances):
    found = read_set(zoo.utterance_set("commands_rnnt"))
    assert [each.path for each in found] == zoo.utterances("commands_rnnt")
    recorded = json.loads((utterances / "transcripts.json").read_text(encoding="utf-8"))
    for each in found:
        entry = recorded[each.path.stem]
        assert (" ".join(each.words), each.speaker) == (entry["text"], entry["voice"])


def test_the_digest_of_a_set_is_of_its_file_and_its_sounds(tmp_path):
    lines = ['{"audio": "a.wav", "text": "one"}', '{"audio": "b.wav", "text": "two"}']
    (tmp_path / "a.wav").write_bytes(b"sound a")
    (tmp_path / "b.wav").write_bytes(b"sound b")

    def digest(*said: str) -> str:
        (tmp_path / "set.jsonl").write_text("\n".join(said))
        return set_digest(tmp_path, read_set(tmp_path))

    first = digest(*lines)
    sounds = [hashlib.sha256(sound).digest() for sound in (b"sound a", b"sound b")]
    text = "\n".join(lines).encode()
    assert first == hashlib.sha256(text + b"".join(sounds)).hexdigest()
    assert digest(*lines[::-1]) != first and digest(lines[0]) != first
    (tmp_path / "b.wav").write_bytes(b"sound c")
    assert digest(*lines) != first
    (tmp_path / "b.wav").write_bytes(b"sound b")
    assert digest(*lines) == first
