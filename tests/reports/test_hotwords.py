"""Lists of names: who is in which list, what is compared with what, and the page."""

import json
import shutil

import pytest

from npu import zoo
from npu.speech.spoken_sets import Utterance, read_set
from reports import hotwords


def said(*texts):
    """Utterances of these words."""
    first = read_set(zoo.utterance_set("commands"))[0]
    return [
        Utterance(**{**vars(first), "line": n, "words": tuple(text.split())})
        for n, text in enumerate(texts, 1)
    ]


def test_a_list_has_the_names_of_the_utterances_that_are_heard_with_it():
    utterances = said("call ann", "call bob", "call ann cid", "call dan", "call eve fay")
    known = {"ann", "bob", "cid", "dan", "eve", "fay"}
    groups = list(hotwords._groups(utterances, known, 2))
    assert [own for _, own in groups] == [["ann", "bob"], ["ann", "cid"], ["dan"], ["eve", "fay"]]
    assert [each for some, _ in groups for each in some] == utterances


def test_names_were_held_out_or_learnt(tmp_path):
    for file, texts in (
        ("train-000", ["call ann bob", "go left"]),
        ("test-000", ["turn on the cid", "message ann"]),
    ):
        lines = [
            json.dumps({"text": text, "kind": "open" if text != "go left" else "command"})
            for text in texts
        ]
        (tmp_path / f"{file}.jsonl").write_text("\n".join(lines) + "\n")
    assert hotwords._pools(tmp_path) == (["cid"], ["ann", "bob"])


def test_errors_are_counted_on_the_same_draws():
    found = hotwords._errors([(1, 4), (0, 4)], [(2, 4), (1, 4)])
    assert (found["words"], found["percent"], found["more"]) == (8, 12.5, -25.0)
    assert found["interval"] == (-25.0, -25.0)


@pytest.fixture
def folder(tmp_path):
    """Sets as a run has them, of two utterances of the zoo."""
    of = zoo.utterance_set("commands").parent
    (tmp_path / "corpus").mkdir()
    lines = [json.dumps({"text": f"call {n}", "kind": "open"}) for n in ("ann", "bob", "cid")]
    (tmp_path / "corpus" / "test-000.jsonl").write_text("\n".join(lines) + "\n")
    lines = [json.loads(line) for line in (of / "set.jsonl").read_text().splitlines()[:2]]
    for name in (*hotwords.SETS, "test-30db"):
        place = tmp_path / "sets" / name
        place.mkdir(parents=True)
        for line in lines:
            shutil.copy(of / line["audio"], place / line["audio"])
        text = "\n".join(json.dumps(line | {"kind": "open"}) for line in lines) + "\n"
        (place / "set.jsonl").write_text(text)
    return tmp_path


def test_it_is_measured_and_told(folder, monkeypatch, tmp_path):
    monkeypatch.setattr(hotwords, "SIZES", (3,))
    monkeypatch.setattr(hotwords, "WEIGHTS", {4: (1.5,), 2: ()})
    for name in ("RUN", "PAGE"):
        monkeypatch.setattr(hotwords, name, tmp_path / name)
    hotwords.main([str(folder), "commands"])
    report = json.loads((tmp_path / "RUN").read_text())
    assert (report["named"], report["general"], report["names"]) == (4, 2, 0)
    assert [(each["paths"], each["size"]) for each in report["points"]] == [(4, 0), (4, 3), (2, 0)]
    assert report["points"][0]["named"]["more"] == 0
    page = (tmp_path / "PAGE").read_text()
    assert "| 2 | none |" in page and "| 4 | 3 | 1.5 |" in page
