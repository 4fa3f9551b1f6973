"""`npu inspect`: what it shows, and images with a wrong byte anywhere."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest

from compiler.frontends import supported_operators
from npu.chip.params import params_from_dict
from npu.errors import ParamsError
from npu.runtime.header import Entry
from npu.runtime.image import Image
from tests.tflite_builder import ModelSpec, write


def test_a_transducer(npu, zoo):
    ran = npu("inspect", "commands_rnnt", "--json", "-")
    assert ran.status == 0
    report = json.loads(ran.out)
    assert report == json.loads(npu("inspect", zoo / "commands_rnnt", "--json", "-").out)
    assert list(report["graphs"]) == ["encoder", "decoder", "joiner"]
    encoder = report["graphs"]["encoder"]
    assert [op["name"] for op in encoder["operators"]][-1] == "operator 4 (FULLY_CONNECTED)"
    assert encoder["tensors"][encoder["inputs"][0]]["quantization"]["zero_point"] == -60
    assert len(report["symbols"]) == 28
    assert "commands_rnnt: transducer, 1,124,508 parameters" in ran.err


def test_a_graph(npu, vectors):
    ran = npu("inspect", vectors / "fc_wide.tflite")
    assert ran.status == 0
    assert "2048x640    327,680   75.0%" in ran.out
    assert "2048 scales, one per index of axis 0" in ran.out


def test_an_image(npu, images):
    ran = npu("inspect", images / "zoo.npu", "--json", "-")
    report = json.loads(ran.out)
    assert report["chip"]["name"] == "edge"
    assert {section["crc"] for section in report["sections"]} == {"ok"}
    listing = report["disassembly"]
    assert len(listing) == report["program"]["commands"]
    entries = {line["label"]: line["pc"] for line in listing if line["label"] in report["entries"]}
    assert entries == report["entries"]
    assert listing[0]["text"].startswith("LOAD_PARAM")
    assert {line["layer"] for line in listing} >= {"boot", "reset", "control", "joiner: argmax"}
    assert "more commands: add --program" in ran.err


def test_the_whole_disassembly(npu, images):
    ran = npu("inspect", images / "joint.npu", "--program")
    image = Image.load(images / "joint.npu")
    for entry in image.header.entries:
        assert f"\n{entry.name}:\n" in ran.out
    assert sum("  ; " in line for line in ran.out.splitlines()) == image.n_commands
    assert "more commands" not in ran.out


def test_the_operators(npu):
    ran = npu("inspect", "--operators", "--json", "-")
    assert json.loads(ran.out) == {"operators": dict(supported_operators())}


def test_wrong_command_lines(refused, vectors, images):
    refused("inspect", match="give either FILE or --operators")
    refused("inspect", images / "joint.npu", "--operators", match="give either FILE or --operators")
    refused("inspect", vectors / "joint.tflite", "--program", match="--program disassembles an .np")


def test_a_wrong_byte_in_each_section(refused, images, tmp_path):
    raw = (images / "zoo.npu").read_bytes()
    image = Image.from_bytes(raw)
    start = raw.index(image.memory.tobytes())
    path = tmp_path / "bad.npu"
    for section in image.header.sections:
        damaged = bytearray(raw)
        damaged[start + section.address + section.n_bytes // 2] ^= 0x10
        path.write_bytes(damaged)
        name = section.name.replace("(", ".").replace(")", ".")
        where = f"bad.npu: section '{name}' .offset {section.address:#x}, {section.n_bytes} bytes. "
        refused("inspect", path, match=where + "is damaged: its CRC-32 is 0x.*compile the model")
    damaged = bytearray(raw)
    damaged[raw.index(image.program) + 40] ^= 1
    path.write_bytes(damaged)
    refused("inspect", path, match="section 'program' .* is damaged: its CRC-32")


def test_cut_images(refused, images, tmp_path):
    raw = (images / "joint.npu").read_bytes()
    path = tmp_path / "cut.npu"
    for length in (0, 1, 7, 8, 9, 500, len(raw) // 2, len(raw) - 1):
        path.write_bytes(raw[:length])
        refused("inspect", path, match="cut.npu: not a compiled image, or cut short .*; compile")


def test_any_wrong_byte_is_one_line(npu, images, tmp_path):
    """In the header too: refused in one line, or (a letter of a name) harmless."""
    raw = (images / "joint.npu").read_bytes()
    rng = np.random.default_rng(5)
    header = int.from_bytes(raw[:8], "little") + 8
    path = tmp_path / "bad.npu"
    accepted = 0
    for at in rng.integers(0, header, 150):
        damaged = bytearray(raw)
        damaged[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(damaged)
        ran = npu("inspect", path)
        accepted += ran.status == 0
        assert ran.status == 0 or (ran.status == 2 and ran.err.count("\n") == 1)
        assert ran.status == 0 or ran.err.startswith("error: ")
    assert accepted < 75


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not a compiled image, or cut short"),
        (b"Once upon a time there was a model.\n", "not a compiled image, or cut short"),
        (b"\xff" * 64, "not a compiled image, or cut short"),
        (b"\x02\0\0\0\0\0\0\0{}", "not a compiled image, or cut short"),
    ],
)
def test_files_that_are_no_image(refused, tmp_path, content, match):
    path = tmp_path / "x.npu"
    path.write_bytes(content)
    refused("inspect", path, match=f"x.npu: {match}")


def test_missing_files(refused, tmp_path):
    refused("inspect", tmp_path / "none.npu", match="none.npu: cannot be read: No such file")
    refused("inspect", tmp_path / "none.tflite", match="no model .*none.tflite")
    (tmp_path / "folder.npu").mkdir()
    refused("inspect", tmp_path / "folder.npu", match="folder.npu: cannot be read: Is a directory")


def test_a_refused_model_shows_every_operator(npu, tmp_path):
    """Those that no part of us has, and those that only the chip has not."""
    m = ModelSpec()
    x, y, z = (m.tensor((1, 4), "int8", 0.1) for _ in range(3))
    real = m.tensor((1, 4), "float32")
    m.operator("RELU", [x], [y])
    m.operator("CUMSUM", [y], [z])
    m.operator("DEQUANTIZE", [z], [real])
    m.inputs, m.outputs = [x], [real]
    path = tmp_path / "m.tflite"

    def reasons() -> list[str | None]:
        path.write_bytes(write(m))
        ran = npu("inspect", path, "--json", "-")
        report = json.loads(ran.out)
        assert (ran.status, list(report)) == (2, ["model", "refused", "graphs"])
        return [op["reason"] for op in report["graphs"]["m.tflite"]]

    relu, cumsum, dequantize = reasons()
    assert relu is dequantize is None and cumsum.startswith("not supported: each sum waits")
    ran = npu("inspect", path)
    assert ran.out.count("runs here") == 2
    assert ran.err.startswith("error: m.tflite: operator 1 CUMSUM is not supported: each sum")
    m.operators[1].kind = "RELU"
    path.write_bytes(write(m))
    assert npu("inspect", path).status == 0
    shaped = m.tensor((4,), "float32")
    m.operator("RESHAPE", [real], [shaped])
    m.outputs = [shaped]
    *others, dequantize, reshape = reasons()
    assert others == [None, None] and reshape is None
    assert dequantize.startswith("the chip has no real numbers; they must be an output")


def test_what_the_compiler_refuses_is_refused_with_its_reason(npu, refused, chip, tmp_path):
    """As `npu compile` does, by operator: a product with rows too long for a bank."""
    m = ModelSpec()
    wide, same = (m.tensor((1, 2100), "int8", 0.1) for _ in range(2))
    data = np.random.default_rng(1).integers(-128, 128, (3, 2100)).astype(np.int8)
    weights = m.tensor((3, 2100), "int8", 0.1, data=data)
    narrow = m.tensor((1, 3), "int8", 0.1)
    m.operator("RELU", [wide], [same])
    m.operator("FULLY_CONNECTED", [same, weights, -1], [narrow], ("FullyConnectedOptions", {}))
    m.inputs, m.outputs = [wide], [narrow]
    path = tmp_path / "wide.tflite"
    path.write_bytes(write(m))
    # It depends on the chip.
    assert npu("inspect", path).status == 0
    refused("inspect", path, "--chip", "none", match="none")
    small = "--chip", chip(bank_bytes=256)
    ran = npu("inspect", path, *small, "--json", "-")
    assert ran.status == 2
    verdicts = json.loads(ran.out)["graphs"][path.name]
    found = {i: v["reason"] for i, v in enumerate(verdicts) if v["reason"] is not None}
    assert list(found) == [1] and "a single row does not fit 128 bytes per bank" in found[1]
    where = "^error: wide.tflite: operator 1 "
    refused("compile", path, *small, "-o", tmp_path / "a.npu", match=where)
    assert re.search(where, ran.err, re.MULTILINE)


def test_an_image_is_for_its_chip(refused, images):
    refused("inspect", images / "joint.npu", "--chip", "tiny", match="differs from --chip tiny")


def test_a_model_too_large_for_the_chip_is_shown_all_the_same(npu, vectors, chip):
    ran = npu("inspect", vectors / "fc_wide.tflite", "--chip", chip(sram_bytes=2048))
    assert ran.status == 2 and "2048x640    327,680   75.0%" in ran.out
    assert ran.err.startswith("error: fc_wide.tflite: the model needs ")


def test_the_operators_of_every_subgraph(npu, vectors):
    ran = npu("inspect", vectors.parent / "refused" / "multisig.tflite")
    assert ran.status == 2 and ran.out.count("runs here") == 2
    assert "subgraph 1, operator 0 (FULLY_CONNECTED)" in ran.out
    assert 'it has 2 signatures, "dec", "enc"' in ran.err


def test_a_chip_of_an_image_is_refused_for_its_name(images):
    header = Image.load(images / "joint.npu").header
    wild = header.chip | {"name": "a\x1b[2J"}
    with pytest.raises(ParamsError, match=r"name = 'a\\x1b\[2J': a name has letters"):
        params_from_dict(wild, "the image's chip")


def test_names_from_an_image_cannot_steer_a_terminal(npu, images, tmp_path):
    """Escape sequences, line ends and markup in every name of an image; a chip has a plain one."""
    wild = "a\x1b[2J\x9b31m\r\n[bold]b[/bold]\u202e"
    for name in ("joint", "zoo"):
        image = Image.load(images / f"{name}.npu")
        header = image.header

        def renamed(part):
            return part.model_copy(update={"name": wild + part.name})

        def wilder(layer):
            return replace(layer, operator=wild + layer.operator)

        def wild_entry(entry):
            inputs, outputs = (tuple(map(renamed, x)) for x in (entry.inputs, entry.outputs))
            return entry.model_copy(update={"inputs": inputs, "outputs": outputs})

        update = {
            "model": wild,
            "sources": {wild: "0" * 64},
            "sections": tuple(map(renamed, header.sections)),
            "layers": tuple(
                info.model_copy(update={"layer": wilder(info.layer)}) for info in header.layers
            ),
            "entries": (*map(wild_entry, header.entries), Entry(name=wild, pc=0)),
            "command_layers": tuple(map(wilder, header.command_layers)),
        }
        path = tmp_path / "wild.npu"
        hostile = Image(header.model_copy(update=update), image.program, image.memory)
        path.write_bytes(hostile.to_bytes())
        ran = npu("inspect", path, "--program", "--json", "-")
        assert ran.status == 0
        assert ran.out.isascii() and ran.out.replace("\n", "").isprintable()
        assert ran.err.replace("\n", "").isprintable()
        assert "[bold]b[/bold]" in ran.err and "\\x1b[2J\\x9b31m\\r\\n" in ran.err
        assert json.loads(ran.out)["model"] == wild
