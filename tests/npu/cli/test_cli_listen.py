"""`npu listen`: what is heard comes while the sound does, from pipes and files."""

import json
import os
import signal
import subprocess
import sys
import time
from typing import get_type_hints

import numpy as np
import pytest
import soundfile

from npu.analysis.heard_results import HeardReport, PhraseReport
from tests.schemas import faults
from tests.sounds import RATE, joined

MODEL = "commands_rnnt"
LIMIT_S = 120


@pytest.fixture
def listening():
    """`npu listen` in a process of its own, with pipes."""
    started = []

    def start(*args) -> subprocess.Popen:
        code = "import sys; from npu.cli import main; sys.exit(main())"
        process = subprocess.Popen(
            [sys.executable, "-c", code, "listen", MODEL, *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def sound(utterances) -> bytes:
    """Three utterances as raw samples."""
    samples = joined(utterances, 0.7)[: 9 * RATE]
    return np.rint(samples * 32_768).astype("<i2").tobytes()


def test_a_pipe_a_file_and_transcribe_hear_the_same(npu, listening, sound, wav):
    path = wav(np.frombuffer(sound, "<i2") / 32_768, subtype="PCM_16")
    wanted = json.loads(npu(f"transcribe {MODEL} {path} --engine kernels --json -").out)
    lines = npu(f"listen {MODEL} {path} --json-lines").out.splitlines()
    found = [json.loads(line) for line in lines]
    assert not [fault for line in found for fault in faults(line, HeardReport)]
    phrases = [line for line in found if line["event"] == "final"]
    keys = get_type_hints(PhraseReport)
    told = [{key: line[key] for key in keys if key in line} for line in phrases]
    assert told == wanted["files"][0]["phrases"]
    assert [line["phrase"] for line in phrases] == list(range(len(phrases)))
    partial = [line for line in found if line["event"] == "partial"]
    assert len(partial) > 10 and not any(line["revises"] or line["resets"] for line in found)
    over = {line["phrase"]: line for line in found if line["event"] == "speculative"}
    for line in phrases:
        early = over[line["phrase"]]
        assert early["text"] == line["text"]
    # Behind the end of the file no sound comes, and no time goes by.
    assert all(over[line["phrase"]]["at"] < line["at"] - 0.1 for line in phrases[:-1])
    told = npu(f"listen {MODEL} {path} --json-lines --lead 0").out.splitlines()
    assert not any('"speculative"' in line for line in told)
    piped = [
        listening("-", "--raw", RATE, "--json-lines").communicate(sound, LIMIT_S)[0],
        listening("-", "--json-lines").communicate(path.read_bytes(), LIMIT_S)[0],
    ]
    assert [out.decode().splitlines() for out in piped] == [lines, lines]


def test_lattices_are_those_of_transcribe(npu, listening, sound, wav, tmp_path):
    path = wav(np.frombuffer(sound, "<i2") / 32_768, subtype="PCM_16")
    beam = f"{MODEL} {path} --engine kernels --decoding-method beam --lattice"
    assert npu(f"transcribe {beam} {tmp_path}/a/").status == 0
    assert npu(f"listen {beam} {tmp_path}/b/").status == 0
    written, wanted = ({p.name: p.read_text() for p in (tmp_path / x).iterdir()} for x in "ba")
    # Numbers of words follow from when they were heard first.
    numbered, sorted_ = (each.pop("words.syms").split() for each in (written, wanted))
    assert written == wanted and len(written) >= 3
    assert sorted(numbered[::2]) == sorted(sorted_[::2]) and numbered[1::2] == sorted_[1::2]


def test_the_lattice_lies_there_when_the_phrase_is_told(listening, sound, tmp_path):
    folder = tmp_path / "lattices"
    line = ("-", "--raw", RATE, "--json-lines", "--decoding-method", "beam")
    process = listening(*line, "--lattice", f"{folder}/")
    process.stdin.write(sound[: len(sound) // 2])
    process.stdin.flush()
    while json.loads(process.stdout.readline())["event"] != "final":
        pass
    assert [path.name for path in folder.glob("*.fst.txt")] == ["standard_input-1.fst.txt"]
    process.communicate(timeout=LIMIT_S)


def test_text_comes_before_the_sound_has_ended(listening, sound):
    process = listening("-", "--raw", RATE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(sound[: 2 * 3 * RATE])
    process.stdin.flush()
    lines = []
    while not lines or "..." in lines[-1] or "?]" in lines[-1]:
        lines.append(process.stdout.readline().decode())
    assert lines[-1].startswith("[0.18 - 1.") and len(lines) > 4
    assert process.poll() is None


def test_interrupted_it_tells_the_last_phrase(listening, sound):
    process = listening("-", "--raw", RATE)
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(sound[: 2 * int(1.5 * RATE)])
    process.stdin.flush()
    first = process.stdout.readline()
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LIMIT_S)
    assert b"..." in first and b"..." not in out.splitlines()[-1] and out.splitlines()[-1]
    assert process.returncode == 130 and b"error" not in err and b"Traceback" not in err


def test_a_pipe_with_a_name(npu, sound, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with subprocess.Popen(["sh", "-c", f"cat > {tmp_path}/fifo"], stdin=subprocess.PIPE) as writer:
        assert writer.stdin is not None
        writer.stdin.write(sound[: 4 * RATE])
        writer.stdin.close()
        ran = npu(f"listen {MODEL} {tmp_path}/fifo --raw {RATE}")
    assert ran.status == 0 and "..." not in ran.out.splitlines()[-1]


def test_on_the_chip(npu, sound, wav):
    path = wav(np.frombuffer(sound[: 4 * RATE], "<i2") / 32_768, subtype="PCM_16")
    ran = npu(f"listen {MODEL} {path} --engine twin")
    heard = npu(f"transcribe {MODEL} {path}")
    assert ran.status == 0
    finals = [line for line in ran.out.splitlines() if "..." not in line and "?]" not in line]
    assert finals == heard.out.splitlines()
    ran = npu(f"listen {MODEL} {path} --engine twin --json-lines")
    assert all(json.loads(line) for line in ran.out.splitlines()) and "deadline" in ran.err


@pytest.mark.parametrize(
    ("line", "match"),
    [
        ("nowhere.wav", "no such file"),
        ("nowhere.raw --raw 16000", "nowhere.raw: No such file"),
        ("a.wav --channels 2", "--channels is of raw samples"),
        ("a.wav --raw 10", "not in the range"),
        (".", "is a folder"),
        ("a.wav --lattice x/", "--lattice is of a beam"),
        ("a.wav --decoding-method beam --lattice x.json", "name a folder, with / at its end"),
        ("a.wav --decoding-method beam --lattice no/x/", "the folder .*no does not exist"),
        ("a.wav --lattice-labels 2", "add --lattice"),
    ],
)
def test_what_is_refused(refused, line, match):
    refused(f"listen {MODEL} {line}", match=match)


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "AIFF", "OGG"])
def test_a_header_is_no_sound(refused, listening, tmp_path, kind):
    path = tmp_path / f"a.{kind.lower()}"
    soundfile.write(path, np.zeros(RATE), RATE, format=kind)
    told = f"begins with the header of {kind}.*leave --raw out"
    refused(f"listen {MODEL} {path} --raw {RATE}", match=told)
    process = listening("-", "--raw", RATE)
    _, err = process.communicate(path.read_bytes(), LIMIT_S)
    assert process.returncode == 2 and f"header of {kind}".encode() in err


def test_sound_that_is_too_short(refused, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), RATE)
    refused(f"listen {MODEL} {tmp_path}/a.wav", match="too short for one model call")
