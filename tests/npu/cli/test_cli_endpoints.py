"""`npu endpoints`: a session of the zoo's utterances, and sets that say too little."""

import json

import numpy as np
import pytest
import soundfile

from npu.analysis.endpoints_results import EndpointsOfModel
from tests.schemas import faults
from tests.sounds import RATE

MODEL = "commands_rnnt"


@pytest.fixture
def session(utterances, tmp_path):
    """Three utterances with pauses of a second and a half; all of each is taken for one word."""
    pieces, words, at = [], [], 0
    for path in sorted(utterances.glob("*.wav"))[:3]:
        samples, _ = soundfile.read(path)
        loud = np.flatnonzero(np.abs(samples) > 0.05)
        words.append(["word", (at + loud[0]) / RATE, (at + loud[-1]) / RATE])
        pieces += [samples, np.zeros(3 * RATE // 2)]
        at += len(samples) + 3 * RATE // 2
    soundfile.write(tmp_path / "a.wav", np.concatenate(pieces), RATE)

    def write(**keys):
        line = {"audio": "a.wav", "text": "word word word", "words": words, "phrases": [1, 1, 1]}
        (tmp_path / "set.jsonl").write_text(json.dumps(line | keys))
        return tmp_path

    return write


def test_a_session(npu, session):
    place = session()
    ran = npu(f"endpoints {MODEL} {place} --curve --json -")
    report = json.loads(ran.out)
    assert ran.status == 0 and not faults(report, EndpointsOfModel)
    found = report["found"]
    assert (found["phrases"], found["found_once"], found["extra"]) == (3, 3, 0)
    assert found["cut_off"]["count"] == 0
    assert found["speculative_delay_ms"]["p50"] < found["final_delay_ms"]["p50"]
    delays = [each["final_delay_ms"]["p50"] for each in report["timers"]]
    assert delays == sorted(delays) and len(set(delays)) > 5
    assert all(each["hesitant_ms"] == each["quiet_ms"] for each in report["timers"])
    assert "found once" in ran.err and "a silence timer" in ran.err


def test_where_nothing_is_said_segments_are_extra(npu, session):
    place = session(text="", words=[], phrases=[])
    found = json.loads(npu(f"endpoints {MODEL} {place} --json -").out)["found"]
    assert (found["phrases"], found["extra"]) == (0, 3)


def test_sets_that_say_too_little(npu, session):
    for keys, message in (
        ({"words": None, "phrases": None}, "does not say when its words end"),
        ({"phrases": [1, 1]}, "phrases have 2 words together, words are 3"),
        ({"words": None}, "phrases are of words with times"),
        ({"words": [["word", 0, 1], ["word", 2, 3], ["word", 4, 999]]}, "a word ends at 999 s"),
        ({"phrases": [3, 0]}, "phrases.1 must be greater than or equal to 1, not 0"),
    ):
        ran = npu(f"endpoints {MODEL} {session(**keys)}")
        assert ran.status == 2 and message in ran.err, ran.err
