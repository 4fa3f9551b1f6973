"""Processes that hear a set end with the one that asked them, however that one ends."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow

ASLEEP = """
import time
from functools import partial
from pathlib import Path
from npu.analysis.hearing import hear_set
print("begins", flush=True)
hear_set(range(99), partial(time.sleep, 600), where=Path("x"), tail_seconds=0, jobs=2)
"""


def begun(*words: object) -> subprocess.Popen:
    """A process in a group of its own; its output ends when nobody of the group holds it."""
    return subprocess.Popen(
        [sys.executable, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
        text=True,
    )


def test_of_a_process_that_is_killed_none_is_left():
    with begun("-c", ASLEEP) as process:
        assert process.stdout is not None and process.stdout.readline() == "begins\n"
        time.sleep(4)
        process.kill()
        _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL and "Traceback" not in err


@pytest.mark.parametrize("seconds", [1.5, 3])
def test_an_interrupt_ends_all_of_them_without_a_word(utterances, tmp_path, seconds):
    lines = []
    for number in range(2000):
        (tmp_path / f"{number}.wav").symlink_to(utterances / "test_fl_093.wav")
        lines.append(json.dumps({"audio": f"{number}.wav", "text": "turn up the radio"}))
    (tmp_path / "set.jsonl").write_text("\n".join(lines), encoding="utf-8")
    line = ["-m", "npu.cli", "--quiet", "evaluate", "commands_rnnt", tmp_path, "--jobs", 2]
    with begun(*line) as process:
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, "", "")
