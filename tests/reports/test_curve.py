"""The curve: collected from runs as `npu train` leaves them, and its page."""

import json
import shutil

import pytest

from npu import zoo
from reports import curve, curve_page


@pytest.fixture(scope="module")
def collected(tmp_path_factory):
    """Two runs that are done, of the zoo's model, and one that is not."""
    folder = tmp_path_factory.mktemp("runs")
    for name, zeros in (("lstm-75-8", 0.75), ("lstm-90-4", 0.9), ("lstm-95-8", 0.95)):
        (folder / name).mkdir()
        recipe = {
            "seed": 1,
            "network": {"predictor": "lstm"},
            "pruning": {"zeros": zeros, "method": "magnitude"},
            "quantisation": {"bits": int(name[-1]), "regulariser": 0.02},
            "learning": {"steps": 10},
        }
        (folder / name / "recipe.json").write_text(json.dumps(recipe))
        if zeros < 0.95:
            shutil.copytree(zoo.path("commands_rnnt"), folder / name / "model")
    (folder / "corpus").mkdir()
    assert curve.main([str(folder), "--fit", "--json", str(folder / "curve.json")]) == 0
    return folder, json.loads((folder / "curve.json").read_text())


@pytest.mark.long
def test_runs_are_collected(collected):
    """Long: it searches for the smallest chip."""
    _, report = collected
    first, second = report["points"]
    assert (first["name"], second["name"]) == ("lstm-75-8", "lstm-90-4")
    assert (first["bits"], second["bits"], second["target"]) == (8, 4, 0.9)
    assert (first["coded"], second["coded"], second["pruned"]) == ("int8", "both", "magnitude")
    assert first["zeros"] == pytest.approx(0.748, abs=1e-3) and first["bytes"] == 342_472
    kept = json.loads((zoo.path("commands_rnnt") / "figures.json").read_text())
    assert first["chips"] == kept["chips"]
    assert first["smallest"]["ms"] <= 5 and first["smallest"]["lut4"] is None
    assert first["smallest"]["chip"]["clock_mhz"] == 80


def report_of(*points) -> curve.CurveReport:
    """As if these were collected: with the figures that the zoo's model has."""
    kept = json.loads((zoo.path("commands_rnnt") / "figures.json").read_text())
    return {
        "chip": curve.CHIP,
        "clock_mhz": curve.CLOCK_MHZ,
        "deadline_ms": curve.DEADLINE_MS,
        "points": [
            {
                "name": f"{predictor}-{zeros}-{bits}",
                "predictor": predictor,
                "target": zeros / 100,
                "bits": bits,
                "seed": 1,
                "steps": 10,
                "pruned": "magnitude",
                "coded": "straight through",
                "zeros": zeros / 100,
                "weights": 1_000_000,
                "bytes": (100 - zeros) * bits * 1000,
                "sets": kept["sets"],
                "chips": kept["chips"],
                "smallest": chip,
            }
            for predictor, zeros, bits, chip in points
        ],
    }


def test_how_a_point_is_learnt():
    grid = {"bits": 4, "regulariser": 0.0}
    assert curve.coded(grid) == "straight through"
    assert curve.coded(grid | {"forward": "int8"}) == "after training"
    assert curve.coded(grid | {"forward": "int8", "regulariser": 4.0}) == "regulariser"
    assert curve.pruned({"zeros": 0.9, "method": "n-of-m", "group": 20}) == "2 of 20"
    assert curve.pruned({"zeros": 0.9, "method": "l1", "pull": 0.2}) == "l1"


def test_its_page(tmp_path):
    chip = {"lanes": 4, "bank_bytes": 65_536}
    found = {"chip": chip, "area_mm2": 0.5, "ms": 4.9, "lut4": 12_345, "clock_mhz": 81}
    found["cycles"] = 392_000
    report = report_of(("lstm", 75, 8, found), ("lstm", 90, 4, None), ("stateless", 75, 8, None))
    text = curve_page.page(report)
    assert "## commands_rnnt" in text
    row = next(line for line in text.splitlines() if line.startswith("| lstm-75-8 | 75.0%"))
    assert "9.52 %" in row and "132,550" in row and "195.3" in row
    assert "| lstm-75-8 | 4 | 256 | 4.900 | 0.500 | 12,345 | 81.0 | 4.840 |" in text
    assert "| lstm-90-4 | none |" in text
    for block in text.split("\n\n"):
        if block.startswith("| run"):
            assert len({line.count("|") for line in block.splitlines()}) == 1
    curve_page.figure(report, tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 10_000


def test_its_comparisons():
    """Other seeds, ways to prune, and ways to learn a code book stand side by side."""
    report = report_of(*[("lstm", 75, 8, None)] * 3, *[("lstm", 75, 4, None)] * 2)
    points = report["points"]
    for number, changes in enumerate(
        ({}, {"seed": 2}, {"pruned": "l1"}, {}, {"coded": "regulariser"})
    ):
        points[number] |= changes
    second = points[1]["sets"] = json.loads(json.dumps(points[1]["sets"]))
    second[0]["speech"]["word_errors"]["percent"] = 19.52
    text = curve_page.page(report)
    assert "| lstm-75-8 | 2 | 14.52 % | 9.52 - 19.52 |" in text
    pruned = text.partition("### Which weights are zero")[2].partition("###")[0]
    assert "| 75% | magnitude | 9.52 % |" in pruned and "| 75% | l1 | 9.52 % |" in pruned
    assert "19.52" not in pruned
    coded = text.partition("### How a code book is learnt")[2].partition("##")[0]
    assert "| 4 | regulariser | 9.52 % |" in coded and "| 4 | straight through |" in coded
    assert "| 8 |" not in coded


def test_a_chip_that_one_does_not_fit_keeps_its_place(tmp_path):
    report = report_of(("lstm", 0, 8, None), ("lstm", 75, 8, None))
    large = report["points"][0]
    large["chips"] = [record for record in large["chips"] if record["chip"] == "edge"]
    table = curve_page.page(report).partition("## commands_rnnt")[2].partition("## ")[0]
    rows = [line for line in table.splitlines() if line.startswith("|")]
    assert len({line.count("|") for line in rows}) == 1
    assert "does not fit" in rows[2] and "does not fit" not in rows[3]
    assert "tiny: cycles" in rows[0]


def test_the_chips_are_those_of_the_usual_runs():
    report = report_of(*[("lstm", 75, 8, None)] * 5)
    points = report["points"]
    changed = ({}, {"seed": 2}, {"pruned": "l1"}, {"coded": "both"}, {"steps": 99})
    for point, changes in zip(points, changed, strict=True):
        point |= changes
    steps = curve.usual_steps(points)
    assert [curve.is_usual(point, steps) for point in points] == [True, *[False] * 4]


def test_what_is_no_folder_of_runs(tmp_path, capsys):
    assert curve.main([str(tmp_path / "nowhere")]) == 1
    assert curve.main([str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert "no such folder" in told and "no run in it is done" in told
