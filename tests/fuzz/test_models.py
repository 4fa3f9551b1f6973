"""Some models that are wrong somewhere, and what the harness notices."""

import time

from npu import cli
from tests.fuzz.models import fuzz, mutant

MODELS, SEED = 60, 4


def test_wrong_models_are_refused_in_a_line_or_run():
    found = list(fuzz(SEED, 0, MODELS, 300))
    assert [finding for _, _, finding in found if finding is not None] == []
    took = [took for _, took, _ in found]
    assert len(took) == MODELS and {"nothing", "twin"} <= set(took)
    assert mutant(SEED, 3) == mutant(SEED, 3)


def test_a_fault_of_ours_and_a_dead_process_are_findings(monkeypatch):
    def broken(words):
        raise LookupError("lost")

    monkeypatch.setattr(cli.group, "invoke", broken)
    ((_, _, told),) = fuzz(SEED, 0, 1, 60)
    assert told is not None and "npu inspect: status 3" in told and "LookupError: lost" in told
    monkeypatch.setattr("tests.fuzz.models.SECONDS", 1)
    monkeypatch.setattr(cli, "main", lambda words: time.sleep(9))
    found = list(fuzz(SEED, 0, 2, 60))
    assert [told for _, _, told in found] == ["longer than 1 s"] * 2
