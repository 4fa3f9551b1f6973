"""Beams on the command line: the same on every engine, and what does not go together is told."""

import json

import pytest

from compiler import compile_model, load_model
from compiler.programs import branching
from npu.chip.params import load_params
from npu.runtime.host_beam import most_slots
from npu.speech.beam import BeamRules
from npu.speech.search import SearchRules

MODEL = "commands_rnnt"
BEAM = "--decoding-method beam"


@pytest.fixture(scope="module")
def sound(utterances):
    return utterances / "test_fl_093.wav"


def files(ran) -> list[dict]:
    assert ran.status == 0, ran.err
    return json.loads(ran.out)["files"]


@pytest.mark.parametrize(
    "options", ["", "--num-active-paths 2", "--blank-penalty 1.5", "--one-symbol"]
)
def test_kernels_and_twin_hear_the_same(npu, sound, options):
    line = f"transcribe {MODEL} {sound} {BEAM} {options} --json -"
    (kernels,), (twin,) = files(npu(f"{line} --engine kernels")), files(npu(line))
    assert kernels["phrases"] == twin["phrases"] != []
    assert kernels["calls"] == twin["calls"]


def test_a_beam_costs_little_more(npu, sound):
    """At most half as much again in the mean; of one utterance, the bound that the README gives."""
    line = f"transcribe {MODEL} {sound} --json -"
    (greedy,), (beam,) = files(npu(line)), files(npu(f"{line} {BEAM}"))
    assert 1 < beam["chip"]["mean_cycles"] / greedy["chip"]["mean_cycles"] < 1.5


def test_what_else_was_found(npu, refused, sound, tmp_path):
    line = f"transcribe {MODEL} {sound} --engine kernels"
    ran = npu(f"{line} {BEAM} --beam 100 --json - --nbest {tmp_path}/n.txt --ctm {tmp_path}/c.ctm")
    (phrase,) = files(ran)[0]["phrases"]
    found = phrase["alternatives"]
    assert found[0]["text"] == phrase["text"] and len(found) > 1
    assert json.loads(ran.out)["decoding"]["beam"] == 100
    assert sum(each["probability"] for each in found) == pytest.approx(1, abs=1e-3)
    assert all(0 < word["confidence"] <= 1 for word in phrase["words"])
    lines = (tmp_path / "n.txt").read_text().splitlines()
    assert [row.split("\t")[0] for row in lines] == [
        f"test_fl_093-1-{n + 1}" for n in range(len(found))
    ]
    assert [row.split("\t")[2] for row in lines] == [each["text"] for each in found]
    of_words = (tmp_path / "c.ctm").read_text().splitlines()
    assert [float(row.split()[5]) for row in of_words] == pytest.approx(
        [word["confidence"] for word in phrase["words"]], abs=1e-4
    )
    (greedy,) = files(npu(f"{line} --json -"))[0]["phrases"]
    assert "alternatives" not in greedy and "confidence" not in greedy["words"][0]
    refused(f"{line} --nbest {tmp_path}/n.txt", match="--nbest is of a beam")


def test_lattices_in_every_form(npu, refused, sound, tmp_path):
    line = f"transcribe {MODEL} {sound} {BEAM} --num-active-paths 8"
    ran = npu(f"{line} --engine kernels --json - --lattice {tmp_path}/l.json")
    (phrase,) = files(ran)[0]["phrases"]
    (found,) = json.loads((tmp_path / "l.json").read_text())["lattices"]
    assert found["name"] == "test_fl_093-1" and found["paths"] >= len(phrase["alternatives"])
    likeliest = {}
    for arc in found["arcs"]:
        kept = likeliest.setdefault(arc["source"], arc)
        likeliest[arc["source"]] = max(kept, arc, key=lambda each: each["posterior"])
    state, words = 0, []
    while state in likeliest:
        words.append(likeliest[state])
        state = words[-1]["target"]
    assert [each["word"] for each in words] == phrase["text"].split()
    # One call is 60 ms; the likeliest way to a word need not be that of the whole text.
    for mine, heard in zip(words, phrase["words"], strict=True):
        assert abs(mine["start"] - heard["start"]) < 0.121
        assert abs(mine["end"] - heard["end"]) < 0.121
    assert sum(end["posterior"] for end in found["ends"]) == pytest.approx(1)
    # On the chip, as on the kernels.
    ran = npu(f"{line} --engine twin --lattice {tmp_path}/twin.json")
    assert ran.status == 0
    assert (tmp_path / "twin.json").read_bytes() == (tmp_path / "l.json").read_bytes()
    line = f"{line} --engine kernels"
    assert npu(f"{line} --lattice {tmp_path}/l.lat").status == 0
    assert npu(f"{line} --lattice {tmp_path}/l.dot").status == 0
    assert npu(f"{line} --lattice {tmp_path}/fst/").status == 0
    assert (tmp_path / "l.lat").read_text().startswith("test_fl_093-1\n0 1 ")
    assert (tmp_path / "l.dot").read_text().startswith('digraph "test_fl_093-1" {')
    assert {each.name for each in (tmp_path / "fst").iterdir()} == {
        "test_fl_093-1.fst.txt",
        "words.syms",
    }
    (tmp_path / "file").write_text("")
    refused(f"{line} --lattice {tmp_path}/file/", match="it is a file; name a folder")
    refused(f"{line} --lattice {tmp_path}/no/l.lat", match="does not exist; create it")
    refused(f"{line} --lattice l.fst", match="the ending says the form")
    refused(f"{line} --lattice -", match="the ending says the form")
    refused(f"{line} --lattice x.lat --nbest x.lat", match="x.lat is written too")
    refused(f"{line} --lattice-labels 3", match="is of a lattice: add --lattice")
    refused(f"{line} --lattice-labels 0 --lattice x.lat", match="not in the range 1<=x<=1000")


def test_the_lattice_s_best_text_errs_no_more_than_the_n_best(npu, refused):
    ran = npu(f"evaluate {MODEL} {MODEL} {BEAM} --lattice --json -")
    report = json.loads(ran.out)
    (model,) = report["models"]
    assert report["decoding"]["lattice_labels"] == 1
    assert model["lattice"]["oracle"]["percent"] <= model["oracle"]["percent"]
    assert model["lattice"]["arcs_per_word"] >= 1
    assert "lattice oracle" in npu(f"evaluate {MODEL} {MODEL} {BEAM} --lattice").out
    refused(f"evaluate {MODEL} {MODEL} --lattice", match="--lattice is of a beam")


def test_phrases_of_a_file_are_heard_more_readily(npu, refused, sound, tmp_path):
    words = tmp_path / "words.txt"
    line = f"transcribe {MODEL} {sound} {BEAM} --json -"
    texts = []
    for weight in ("0", "6", "-6"):
        words.write_text(f"turn up the video :{weight}\n")
        heard = [
            files(npu(f"{line} --hotwords-file {words} --engine {engine}"))[0]["phrases"]
            for engine in ("kernels", "twin")
        ]
        assert heard[0] == heard[1]
        texts.append(heard[0][0]["text"])
    assert texts == ["turn up the radio", "turn up the video", "turn up the radio"]
    words.write_text("turn up the video")
    (strong,) = files(npu(f"{line} --hotwords-file {words} --hotwords-score 6"))
    assert strong["phrases"][0]["text"] == "turn up the video"
    refused(f"{line} --hotwords-file {words} --ctm {words}", match="it is the input")
    words.write_text("caf\u00e9")
    refused(f"{line} --hotwords-file {words}", match="is no symbol of the model")
    refused(f"{line} --hotwords-file {tmp_path}/nowhere", match="cannot be read: No such file")
    refused(f"{line} --hotwords-score 2", match="is of the phrases of a --hotwords-file")


def test_what_is_not_likely_enough_is_nothing(npu, sound):
    line = f"{MODEL} {sound} {BEAM}"
    (kept,) = files(npu(f"transcribe {line} --engine kernels --json - --min-score -0.5"))
    score = kept["phrases"][0]["alternatives"][0]["score"] / len(kept["phrases"][0]["words"])
    assert -0.5 < score < -1e-6
    for more, count in ((-1e-6, 1), (1e-6, 0)):
        (entry,) = files(
            npu(f"transcribe {line} --engine kernels --json - --min-score {score + more}")
        )
        assert len(entry["phrases"]) == count
    ran = npu(f"listen {line} --json-lines --min-score 0")
    *_, before, last = [json.loads(row) for row in ran.out.splitlines()]
    assert (last["event"], last["text"], last["revises"]) == ("final", "", True)
    assert before["text"] == kept["phrases"][0]["text"] and before["event"] == "partial"
    # Of a set, as of any other sound.
    ran = npu(f"evaluate {MODEL} {MODEL} {BEAM} --min-score 1 --json -")
    (model,) = json.loads(ran.out)["models"]
    assert model["speech"]["deletions"] == model["speech"]["words"]
    (model,) = json.loads(npu(f"evaluate {MODEL} {MODEL} {BEAM} --json -").out)["models"]
    rejected = [each["rejected"] for each in model["at_scores"]]
    assert rejected == sorted(rejected) and rejected[0] == 0 < rejected[-1]
    at = model["at_scores"][-1]["min_score"]
    (other,) = json.loads(npu(f"evaluate {MODEL} {MODEL} {BEAM} --min-score {at} --json -").out)[
        "models"
    ]
    assert other["speech"]["word_errors"] == model["at_scores"][-1]["word_errors"]
    assert "if phrases below a score were nothing" in npu(f"evaluate {MODEL} {MODEL} {BEAM}").out


def test_a_stream_is_decoded_so_too(npu, sound):
    ran = npu(f"listen {MODEL} {sound} {BEAM} --json-lines")
    events = [json.loads(line) for line in ran.out.splitlines()]
    (wanted,) = files(npu(f"transcribe {MODEL} {sound} {BEAM} --engine kernels --json -"))
    finals = [event["text"] for event in events if event["event"] == "final"]
    assert finals == [phrase["text"] for phrase in wanted["phrases"]]


def test_an_image_needs_slots(npu, refused, sound, images, tmp_path):
    refused(f"transcribe {images}/zoo.npu {sound} {BEAM}", match="it has no slots for hypotheses")
    model, image = load_model(MODEL), tmp_path / "beam.npu"
    program = branching(model, most_slots(BeamRules(4), SearchRules.of(model.config)))
    compiled = compile_model(model, load_params("edge"), program=program)
    image.write_bytes(compiled.to_bytes())
    (of_image,) = files(npu(f"transcribe {image} {sound} {BEAM} --json -"))
    (of_model,) = files(npu(f"transcribe {MODEL} {sound} {BEAM} --json -"))
    assert of_image["phrases"] == of_model["phrases"]
    refused(f"transcribe {image} {sound}", match="has no loop on the chip")
    refused(f"transcribe {image} {sound} {BEAM} --num-active-paths 9", match="9 active paths take")
    line = f"evaluate {image} {MODEL} --engine twin {BEAM} --beside-greedy"
    refused(line, match="give the model itself")
    refused(f"verify {image}", match="was compiled for a beam")
    assert npu(f"inspect {image}").status == 0


def test_word_errors_beside_greedy(npu):
    ran = npu(f"evaluate {MODEL} {MODEL} {BEAM} --beside-greedy --json -")
    assert ran.status == 0
    report = json.loads(ran.out)
    beam, greedy = report["models"]
    assert [beam["model"], greedy["model"]] == [MODEL, f"{MODEL}, greedily"]
    assert beam["oracle"]["percent"] <= beam["speech"]["word_errors"]["percent"]
    sure, words = beam["confidence"], beam["speech"]
    heard = words["words"] - words["deletions"] + words["insertions"]
    right = words["words"] - words["deletions"] - words["substitutions"]
    assert sure["words"] == heard and sure["right"] == pytest.approx(right / heard)
    assert 0.5 < sure["area"] <= 1 and sure["cross_entropy"] <= 1
    assert "oracle" not in greedy


@pytest.mark.parametrize(
    ("line", "match"),
    [
        (f"transcribe {MODEL} a.wav --num-active-paths 2", "--num-active-paths is of a beam"),
        (f"listen {MODEL} a.wav --temperature 2", "--temperature is of a beam"),
        (f"transcribe {MODEL} a.wav {BEAM} --num-active-paths 0", "not in the range 1<=x<=64"),
        (f"transcribe {MODEL} a.wav {BEAM} --blank-penalty 16", "not in the range"),
        (f"transcribe {MODEL} a.wav {BEAM} --min-score nan", "nan is no number"),
        (f"transcribe {MODEL} a.wav {BEAM} --beam nan", "nan is no number"),
        (f"transcribe {MODEL} a/x.wav b/x.wav --ctm x.ctm", "would both be called"),
        (f"transcribe {MODEL} a.wav {BEAM} --hotwords-file w --ctm w", "w: cannot be read"),
        (f"transcribe {MODEL} a.wav --lattice x.lat", "--lattice is of a beam"),
        (f"transcribe {MODEL} a/x.wav b/x.wav {BEAM} --lattice x.lat", "would both be called"),
        (f"evaluate {MODEL} {MODEL} --beside-greedy", "is greedy already"),
        (f"evaluate {MODEL} {MODEL} --beside {MODEL}", "is the model itself; name another one"),
        (f"evaluate {MODEL} {MODEL} {BEAM} --beside commands --beside-greedy", "give one of them"),
    ],
)
def test_what_does_not_go_together(refused, line, match):
    refused(line, match=match)
