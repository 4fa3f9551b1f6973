"""`npu compile`: the report's figures, the same bytes twice, and everything that is refused."""

import json
import re
import shutil
from pathlib import Path

import pytest

from npu.analysis.latency import latency_of
from npu.runtime.image import Image
from tests.tflite_builder import foreign_model


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.npu"


@pytest.fixture
def zoo_copy(tmp_path, zoo):
    """A copy of the transducer, to damage."""
    folder = tmp_path / "model"
    shutil.copytree(zoo / "commands_rnnt", folder, ignore=shutil.ignore_patterns("utterances"))
    return folder


def test_fc_wide_meets_its_bars(npu, vectors, out):
    ran = npu("compile", vectors / "fc_wide.tflite", "-o", out, "--json", "-")
    assert ran.status == 0
    report = json.loads(ran.out)
    (layer,) = report["layers"]
    assert (layer["rows"], layer["columns"], layer["nonzeros"]) == (2048, 640, 327_680)
    assert layer["over_entropy"] <= 1.04
    assert layer["ideal_cycles"] == 20_480 < layer["run_cycles"] < layer["cycles"] <= 21_200
    assert layer["product_utilisation"] >= 0.97
    main = report["segments"]["main"]
    assert main["run_utilisation"] == layer["nonzeros"] / (16 * main["cycles"])
    assert main["run_utilisation"] < layer["product_utilisation"]
    assert main["bytes"] == 640 + 2048  # activations in and out
    assert report["image_bytes"] == out.stat().st_size
    # Everything counted: the file is its weights, rows and program, and a header.
    counted = layer["compressed_bits"] / 8 + layer["row_record_bytes"]
    assert counted < report["image_bytes"] < counted + 8192


def test_the_transducer_layer_by_layer(npu, images, out):
    ran = npu("compile", "commands_rnnt", "-o", out, "--json", "-")
    report = json.loads(ran.out)
    layers = {layer["name"]: layer for layer in report["layers"]}
    assert len(layers) == len(report["layers"]) == 11
    lstm = layers["encoder: operator 3 (UNIDIRECTIONAL_SEQUENCE_LSTM) input"]
    assert (lstm["rows"], lstm["columns"], lstm["resident_tiles"]) == (768, 384, 1)
    assert all(layer["cycles"] >= layer["run_cycles"] > 0 for layer in layers.values())
    # Rows of a kind with codes of their own may take less than the entropy of all rows together.
    assert all(0.95 < layer["over_entropy"] < 1.2 for layer in layers.values())
    assert set(report["segments"]) == {"encoder", "decoder", "joiner", "control"}
    for segment in report["segments"].values():
        assert segment["cycles"] == sum(segment["units"].values())
    assert all(m["used"] <= m["size"] for m in report["memory"].values())
    assert report["total"]["weights"] == 1_119_744
    assert "encoder 3 LSTM input" in ran.err and "weight bank" in ran.err
    # And the same model and chip give the same bytes.
    assert out.read_bytes() == (images / "zoo.npu").read_bytes()


def test_an_image_for_a_beam(npu, refused, vectors, utterances, out):
    ran = npu("compile", "commands_rnnt", "-o", out, "--num-active-paths", 2, "--json", "-")
    report = json.loads(ran.out)
    assert ran.status == 0 and {"encoder", "decoder", "joiner"} <= set(report["segments"])
    assert report["frame"]["decided"] == "every frame one hypothesis emits 1 symbol"
    sound, beam = utterances / "test_hoes_134.wav", ("--decoding-method", "beam")
    heard = npu("transcribe", out, sound, *beam, "--num-active-paths", 2)
    of_model = npu("transcribe", "commands_rnnt", sound, *beam, "--num-active-paths", 2)
    assert heard.status == 0 and heard.out == of_model.out
    refused("transcribe", out, sound, *beam, match="4 active paths take 29")
    layer = vectors / "fc_wide.tflite"
    refused("compile", layer, "-o", out, "--num-active-paths", 2, match="not a transducer")


@pytest.mark.parametrize("model", ["fc_wide.tflite", "commands_rnnt"])
def test_the_energy_of_a_call_is_that_of_npu_latency(npu, vectors, out, model):
    place = vectors / model if model.endswith(".tflite") else model
    ran = npu("compile", place, "-o", out, "--json", "-")
    frame = json.loads(ran.out)["frame"]
    latency = json.loads(npu("latency", place, "--json", "-").out)
    assert frame["energy_uj"] == latency["total"]["energy_uj"]
    assert frame["decided"] == latency["decided"]
    assert f"energy {frame['energy_uj']['total']:,.2f} uJ a call" in ran.err
    hears = model == "commands_rnnt"
    assert (frame["period_ms"], "waiting between" in ran.err) == (60 if hears else None, hears)
    if hears:
        # A microjoule a millisecond is a milliwatt; waiting takes some too.
        assert frame["listening_uw"] > 1e3 * frame["energy_uj"]["total"] / 60
    else:
        assert frame["listening_uw"] is None


def test_streamed_weights_are_measured(npu, vectors, out):
    ran = npu("compile", vectors / "lstm_320.tflite", "-o", out, "--chip", "tiny", "--json", "-")
    report = json.loads(ran.out)
    layers, total = report["layers"], report["total"]
    assert all(0 <= layer["resident_tiles"] < layer["tiles"] for layer in layers)
    assert all(layer["streamed_bytes"] > 0 and layer["products"] == 4 for layer in layers)
    assert total["streamed_bytes"] == sum(layer["streamed_bytes"] for layer in layers)
    # All of them come for each of the four steps.
    assert report["segments"]["main"]["bytes"] > 4 * total["streamed_bytes"]
    # All that is streamed comes behind the products, but from a memory that takes its time.
    assert report["segments"]["main"]["units"]["wait"] == 0
    assert "tiles that stay" in ran.err and f" of {layers[0]['tiles']} " in ran.err
    assert Image.load(out).params.name == "tiny"
    slow = ("--set", "memory_cycles_per_beat=20", "--json", "-")
    ran = npu("compile", vectors / "lstm_320.tflite", "-o", out, "--chip", "tiny", *slow)
    assert json.loads(ran.out)["segments"]["main"]["units"]["wait"] > 0


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"lanse": 4}, "chip.toml: key 'lanse' is unknown"),
        ({"lanes": '"many"'}, "chip.toml: lanes = 'many': input should be a valid integer"),
        ({"lanes": None}, "chip.toml: key 'lanes' is missing"),
        ({"lanes": None, "lane": 16, "threads": 1}, "'lanes' is missing; threads = 1: .*'lane' is"),
        ({"bus_bytes": 24}, "bus_bytes must be a power of two, not 24"),
        ({"clock_mhz": "nan"}, "chip.toml: clock_mhz = nan: input should be"),
        ({"clock_mhz": "inf"}, "chip.toml: clock_mhz = inf: input should be a finite number"),
        ({"name": "="}, "chip.toml: not a readable TOML file"),
        ({"sram_bytes": 1024}, "needs .* bytes of vector SRAM.*sram_bytes"),
        ({"bank_bytes": 256}, "program takes .* larger banks .fewer tiles."),
        ({"param_bytes": 256}, "tables take .* param_bytes 256; take a chip with a larger one"),
        (
            {"program_bytes": 1024},
            "program takes 1[0-9]* bytes.*1024; .* a model of fewer",
        ),
        (
            {"memory_latency_cycles": 65537},
            "chip.toml: memory_latency_cycles = 65537: input",
        ),
        ({"memory_cycles_per_beat": 257}, "chip.toml: memory_cycles_per_beat = 257: input"),
        ({"memory_bytes": 65536}, "external memory.* memory_bytes 65536"),
    ],
)
def test_chips_that_do_not_do(refused, vectors, chip, out, changes, match):
    refused(
        "compile", vectors / "lstm_320.tflite", "-o", out, "--chip", chip(**changes), match=match
    )
    assert not out.exists()


def test_a_chip_that_is_no_file(refused, out, tmp_path):
    for name in ("vast", tmp_path):
        match = "is neither a preset|Is a directory"
        refused("compile", "commands_rnnt", "-o", out, "--chip", name, match=match)


def test_models_that_are_none(refused, vectors, images, out, tmp_path):
    text = tmp_path / "model.tflite"
    text.write_text("This is no model.\n" * 9)
    cut = tmp_path / "cut.tflite"
    whole = (vectors / "joint.tflite").read_bytes()
    empty = tmp_path / "empty.tflite"
    empty.touch()
    refused("compile", text, "-o", out, match="model.tflite: ")
    refused("compile", empty, "-o", out, match="empty.tflite: ")
    for share in (0.01, 0.3, 0.6, 0.9, 0.99):
        cut.write_bytes(whole[: int(len(whole) * share)])
        refused("compile", cut, "-o", out, match="cut.tflite: ")
    refused(
        "compile", tmp_path / "none", "-o", out, match="no model .*none': give a .tflite or .onnx"
    )
    refused("compile", "comands", "-o", out, match="a zoo model .commands, commands_e")
    refused("compile", tmp_path, "-o", out, match="model.json")
    refused("compile", images / "zoo.npu", "-o", out, match="zoo.npu: is an image already")
    foreign = tmp_path / "foreign.tflite"
    foreign.write_bytes(foreign_model())
    match = r"foreign.tflite: operator 0 SKIP_GRAM is not supported: TensorFlow Lite Micro"
    refused("compile", foreign, "-o", out, match=match)
    assert not out.exists()


@pytest.mark.parametrize("name", ["encoder.tflite", "tokens.txt", "model.json"])
def test_damaged_transducers(refused, zoo_copy, out, name):
    file = zoo_copy / name
    content = file.read_bytes()
    file.unlink()
    refused("compile", zoo_copy, "-o", out, match=name)
    file.write_bytes(content[: len(content) // 2])
    refused("compile", zoo_copy, "-o", out, match=name)
    file.write_bytes(b"")
    refused("compile", zoo_copy, "-o", out, match=name)
    assert not out.exists()


def test_places_that_cannot_be_written(refused, vectors, tmp_path):
    model = vectors / "joint.tflite"
    refused("compile", model, "-o", tmp_path, match="cannot write .*: it is a folder")
    refused("compile", model, "-o", tmp_path / "no" / "a.npu", match="the folder .*no does not ex")
    out = tmp_path / "a.npu"
    refused("compile", model, "-o", out, "--json", tmp_path / "no" / "a", match="the folder .*no ")
    assert list(Path(tmp_path).iterdir()) == []


def test_a_row_that_does_not_fit_is_found_first(refused, vectors, chip, out, monkeypatch):
    """The search for tiles took half a minute of 128 lanes with small banks to say so."""
    from compiler.passes import tiles

    def search(*args):
        raise AssertionError("the search for tiles is not begun")

    monkeypatch.setattr(tiles, "_try_tiles", search)
    refused(
        f"compile {vectors}/fc_wide.tflite -o {out} --chip {chip(lanes=128, bank_bytes=256)}",
        match="a single row does not fit 128 bytes per bank; take a chip with a larger bank_bytes",
    )


RAW = ("joint.bin", "joint.h", "joint.hex")


def test_a_raw_image_beside_the_image(npu, vectors, tmp_path, out):
    for _ in range(2):
        folder = tmp_path / "raw"
        ran = npu("compile", vectors / "joint.tflite", "-o", out, "--raw", folder)
        assert ran.status == 0
        assert sorted(path.name for path in folder.iterdir() if path.name in RAW) == list(RAW)
        image = Image.load(out)
        content = (folder / "joint.bin").read_bytes()
        assert content.startswith(image.memory.tobytes())
        assert content.rstrip(b"\0").endswith(image.program.rstrip(b"\0"))
        cycles = re.findall(r"_(\w+)_CYCLES (\d+)u", (folder / "joint.h").read_text())
        assert [name for name, _ in cycles] == ["BOOT", "RESET", "INVOKE"]
        latency = latency_of(image)
        told = latency.boot_cycles, latency.reset_cycles, max(latency.frame_cycles)
        assert tuple(int(number) for _, number in cycles) == told
        assert f"{folder / 'joint.bin'}: {len(content):,} bytes" in ran.out
        (folder / "notes").write_text("mine")
    assert (folder / "notes").read_text() == "mine"


def test_a_raw_image_is_whole_or_not_there(npu, refused, vectors, tmp_path, out, monkeypatch):
    from npu.cli import compile as command

    model = vectors / "joint.tflite"
    refused("compile", model, "-o", out, "--raw", model, match="it is a file; name a folder")
    refused("compile", model, "-o", out, "--raw", tmp_path / "no" / "a", match="does not exist")
    folder = tmp_path / "raw"
    (folder / "joint.h").mkdir(parents=True)
    refused("compile", model, "-o", out, "--raw", folder, match="joint.h: it is a folder")
    assert [path.name for path in folder.iterdir()] == ["joint.h"]
    (folder / "joint.h").rmdir()
    refused("compile", model, "-o", folder / "joint.h", "--raw", folder, match="is written too")
    folder.rmdir()
    monkeypatch.setattr(command, "raw_files", lambda image, cycles: {"a": b"1", "b": "no bytes"})
    assert npu("compile", model, "-o", out, "--raw", folder).status == 3
    assert list(tmp_path.iterdir()) == []


def test_a_model_is_not_overwritten_by_its_raw_image(refused, vectors, tmp_path, out):
    folder = tmp_path / "raw"
    folder.mkdir()
    model = folder / "joint.tflite"
    shutil.copy(vectors / "joint.tflite", model)
    (folder / "joint.bin").hardlink_to(model)
    refused("compile", model, "-o", out, "--raw", folder, match="it is the input")
    assert model.read_bytes() == (vectors / "joint.tflite").read_bytes()
