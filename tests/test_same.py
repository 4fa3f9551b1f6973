"""The comparison of two checkouts sees what has changed, and only that."""

import pytest

from tests import same


def test_figures_are_compared_whatever_they_are_called():
    was = {"cycles": 5, "layers": [{"ratio": 1.5}], "simulation_seconds": 3.0, "name": "x"}
    now = {"total_cycles": 5, "matrices": [{"over": 1.5}], "simulation_seconds": 2.0}
    assert sorted(same.figures(was)) == sorted(same.figures(now)) == [1.5, 5]


@pytest.mark.parametrize(
    ("now", "told"),
    [
        ({"program": "a"}, 0),
        ({"program": "b"}, 1),
        ({}, 1),
        ({"program": "a", "refused": "no"}, 1),
    ],
)
def test_a_difference_is_told(monkeypatch, capsys, tmp_path, now, told):
    records = {tmp_path: {"m on tiny": {"program": "a"}}, same.ROOT: {"m on tiny": now}}
    monkeypatch.setattr(same, "recorded_by", lambda checkout, models: records[checkout])
    assert same.main(tmp_path, []) == (1 if told else 0)
    assert f"{told} results differ" in capsys.readouterr().out


def test_nothing_compared_is_no_success(monkeypatch, tmp_path):
    monkeypatch.setattr(same, "recorded_by", lambda checkout, models: {})
    assert same.main(tmp_path, []) == 1


def test_models_are_files_and_folders():
    zoo = same.ROOT / "npu" / "zoo"
    models = same.all_models([zoo])
    names = [path.name for path in models]
    assert models == sorted(models) and {"commands_rnnt", "encoder.tflite"} <= set(names)
