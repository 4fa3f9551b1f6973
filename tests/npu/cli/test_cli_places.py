"""No command writes over one of its inputs, whatever the two are called."""

import hashlib
import shutil
from pathlib import Path

import pytest


def digests(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture
def place(tmp_path, vectors, images, zoo, monkeypatch) -> Path:
    """A folder with one input of each kind, which is the working directory."""
    shutil.copy(vectors / "joint.tflite", tmp_path / "m.tflite")
    shutil.copy(vectors / "joint.npz", tmp_path / "in.npz")
    shutil.copy(images / "joint.npu", tmp_path / "i.npu")
    shutil.copy(images / "zoo.npu", tmp_path / "z.npu")
    shutil.copy(next((zoo / "commands_rnnt" / "utterances").glob("*.wav")), tmp_path / "a.wav")
    shutil.copytree(zoo / "commands_rnnt", tmp_path / "rnnt")
    text = (zoo.parent / "chip" / "presets" / "edge.toml").read_text()
    (tmp_path / "chip.toml").write_text(text)
    (tmp_path / "deep").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


RUN = "run m.tflite --input in.npz --chip chip.toml"
CASES = [
    ("compile m.tflite -o m.tflite", "m.tflite"),
    ("compile m.tflite -o ok.npu --json m.tflite", "m.tflite"),
    ("compile m.tflite --chip chip.toml -o chip.toml", "chip.toml"),
    ("compile rnnt -o rnnt/encoder.tflite", "encoder.tflite"),
    ("compile rnnt -o ok.npu --json rnnt/model.json", "model.json"),
    (f"{RUN} --output in.npz", "in.npz"),
    (f"{RUN} --output m.tflite", "m.tflite"),
    (f"{RUN} --output ok.npz --json chip.toml", "chip.toml"),
    ("run i.npu --input in.npz --output i.npu", "i.npu"),
    ("transcribe z.npu a.wav --json a.wav", "a.wav"),
    ("transcribe z.npu a.wav --ctm a.wav", "a.wav"),
    ("transcribe z.npu a.wav --srt z.npu", "z.npu"),
    ("transcribe rnnt a.wav --json rnnt/tokens.txt", "tokens.txt"),
    ("inspect i.npu --json i.npu", "i.npu"),
    ("inspect rnnt --json rnnt/joiner.tflite", "joiner.tflite"),
    ("verify m.tflite --input in.npz --json in.npz", "in.npz"),
    ("verify i.npu --waves i.npu", "i.npu"),
    ("verify z.npu --audio a.wav --waves a.wav", "a.wav"),
    ("bench twin --model m.tflite --json m.tflite", "m.tflite"),
    ("bench twin --chip chip.toml --json chip.toml", "chip.toml"),
    ("bench codec --model m.tflite --json m.tflite", "m.tflite"),
    ("synth --chip chip.toml --json chip.toml", "chip.toml"),
    ("demo --chip chip.toml --json chip.toml", "chip.toml"),
]


@pytest.mark.parametrize(("line", "hit"), CASES)
def test_an_output_that_is_an_input_is_refused(refused, place, line, hit):
    before = digests(place)
    refused(*line.split(), match=f"cannot write .*{hit}: it is the input .*{hit}; name another")
    assert digests(place) == before


@pytest.mark.parametrize("other", ["deep/../m.tflite", "hard", "soft", "{}/m.tflite"])
def test_the_file_counts_not_its_name(refused, place, other):
    (place / "hard").hardlink_to(place / "m.tflite")
    (place / "soft").symlink_to(place / "m.tflite")
    before = digests(place)
    refused("compile", "m.tflite", "-o", other.format(place), match="it is the input m.tflite")
    assert digests(place) == before


def test_a_model_of_the_zoo_is_an_input(refused, zoo):
    file = zoo / "commands_rnnt" / "encoder.tflite"
    before = file.read_bytes()
    refused("compile", "commands_rnnt", "-o", file, match="it is the input")
    refused("demo", "--json", zoo / "commands_rnnt" / "model.json", match="it is the input")
    assert file.read_bytes() == before


def test_two_outputs_are_two_files(refused, place):
    for json in ("out", "deep/../out", "soft"):
        (place / "soft").unlink(missing_ok=True)
        (place / "soft").symlink_to("out")
        refused(
            f"compile m.tflite -o out --json {json}",
            match="cannot write .*: out is written too; name another file",
        )
    assert not (place / "out").exists()


def test_standard_output_takes_one(refused, npu, place):
    line = "transcribe z.npu a.wav --ctm - "
    refused(f"{line}--srt -", match="two results to standard output")
    refused(f"{line.replace('a.wav', 'a.wav a.wav')}--srt s.srt", match="of one file, not of 2")
    ran = npu(f"{line}--srt s.srt")
    assert ran.out.startswith("a 1 0.") and "deadline" in ran.err
    assert (place / "s.srt").read_text().startswith("1\n00:00:00,")


def test_devices_may_be_named_twice(npu, place):
    ran = npu("compile", "m.tflite", "-o", "/dev/null", "--json", "/dev/null")
    assert ran.status == 0, ran.err


def test_an_export_over_its_chip(refused, place, monkeypatch):
    export = pytest.importorskip("rtl.export", reason="the extra `rtl` is not installed")

    def quick(params, folder, example, options):
        (folder / "zeroskip.v").write_text("module")
        return [folder / "zeroskip.v"]

    monkeypatch.setattr(export, "export", quick)
    (place / "deep" / "zeroskip.v").write_text((place / "chip.toml").read_text())
    before = digests(place)
    args = ("rtl", "export", "-o", "deep", "--chip", "deep/zeroskip.v")
    # The line about the work comes first.
    from npu import cli

    assert cli.main(list(args)) == 2
    assert digests(place) == before
