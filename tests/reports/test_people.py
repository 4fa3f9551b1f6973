"""Recordings of people as sets: what their packages say is spoken, and what is not there."""

import json

import numpy as np
import pytest
import soundfile

from npu import cli
from npu.errors import NpuError
from npu.speech.spoken_sets import read_set
from reports import people


@pytest.fixture
def root(tmp_path):
    """A system with a few recordings, of hiss."""
    hiss = np.random.default_rng(1).normal(0, 0.01, 4000)
    root = tmp_path / "root"
    alsa, sphinx = root / people.ALSA, root / people.SPHINX
    for folder in (alsa, sphinx / "cards", sphinx / "tidigits", sphinx / "librivox"):
        folder.mkdir(parents=True)
    for path in (
        alsa / "Front_Left.wav",
        alsa / "Noise.wav",
        sphinx / "cards" / "001.wav",
        sphinx / "librivox" / "a-b_1.wav",
    ):
        soundfile.write(path, hiss, 48_000)
    for path in (sphinx / "goforward.raw", sphinx / "tidigits" / "x.2oza.raw"):
        path.write_bytes((32768 * hiss).astype("<i2").tobytes())
    (sphinx / "cards" / "cards.transcription").write_text("<s> ten of clubs  </s> (001)\n")
    (sphinx / "librivox" / "transcription").write_text("<s> and so on </s> (a-b_1)\n")
    (sphinx / "goforward.gram").write_text(
        "public <move> = go forward ten meters;\npublic <move2> = go;\n"
    )
    return root


def test_every_recording_has_the_text_that_its_package_says(root, tmp_path):
    counts, missing = people.build(tmp_path / "out", root)
    assert missing == []
    found = read_set(tmp_path / "out")
    assert {each.audio: " ".join(each.words) for each in found} == {
        "alsa/Front_Left.wav": "front left",
        "alsa/Noise.wav": "",
        "cards/001.wav": "ten of clubs",
        "turtle/goforward.wav": "go forward ten meters",
        "tidigits/x.2oza.wav": "two oh zero",
        "librivox/a-b_1.wav": "and so on",
    }
    assert sum(counts.values()) == len(found)
    for speaker, count in counts.items():
        own = read_set(tmp_path / "out" / speaker)
        assert len(own) == count and {each.speaker for each in own} == {speaker}
    samples, rate = soundfile.read(tmp_path / "out" / "turtle" / "goforward.wav", dtype="int16")
    raw = (root / people.SPHINX / "goforward.raw").read_bytes()
    assert rate == 16_000 and samples.astype("<i2").tobytes() == raw


def test_what_is_not_installed_is_told(root, tmp_path):
    (root / "usr/share/pocketsphinx").rename(tmp_path / "gone")
    counts, missing = people.build(tmp_path / "out", root)
    assert counts == {"alsa": 2} and missing == ["pocketsphinx-testdata"]
    with pytest.raises(NpuError, match="apt-get install alsa-utils pocketsphinx-testdata"):
        people.build(tmp_path / "none", tmp_path / "empty")
    assert not (tmp_path / "none").exists()


def test_a_damaged_recording_leaves_nothing_behind(root, tmp_path, capsys):
    (root / people.SPHINX / "goforward.raw").write_bytes(b"abc")
    with pytest.raises(NpuError, match="has 3 bytes, which are no samples of 16 bits"):
        people.build(tmp_path / "out", root)
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    assert people.main(["-o", str(tmp_path / "file" / "x")]) == 2
    assert "error: " in capsys.readouterr().err


def test_what_is_installed_here_can_be_heard(capsys, tmp_path):
    """All of it, by today's model: people are what it hears badly."""
    try:
        counts, _ = people.build(tmp_path / "out")
    except NpuError as error:
        pytest.skip(str(error))
    assert cli.main(["evaluate", "commands_rnnt", str(tmp_path / "out"), "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["utterances"] == sum(counts.values())
    assert set(report["models"][0].get("speakers", counts)) == set(counts)
