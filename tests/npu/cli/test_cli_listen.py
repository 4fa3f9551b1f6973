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
    ],
)
def test_what_is_refused(refused, line, match):
    refused(f"listen {MODEL} {line}", match=match)


def test_sound_that_is_too_short(refused, tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(100), RATE)
    refused(f"listen {MODEL} {tmp_path}/a.wav", match="too short for one model call")
