"""`--set`, and overrides behind a chip's name, on the commands that take a chip."""

import json

import pytest

from npu.cli._chips import file_of, load_chip, parsed
from npu.errors import ParamsError


def test_overrides_are_read_as_toml_writes_them():
    assert parsed(["lanes=32", "clock_mhz = 12.5", "name=my chip", "memory_bytes=0x100_000"]) == {
        "lanes": 32,
        "clock_mhz": 12.5,
        "name": "my chip",
        "memory_bytes": 1 << 20,
    }
    for text, message in (
        ("lanes", "write NAME=VALUE"),
        ("=3", "write NAME"),
        ("a=", "write NAME"),
    ):
        with pytest.raises(ParamsError, match=message):
            parsed([text])
    with pytest.raises(ParamsError, match="lanes is set twice"):
        parsed(["lanes=3", "lanes=4"])


def test_a_chip_may_carry_its_overrides(tmp_path):
    assert load_chip("edge,lanes=32,energy_pj.mac=0.5").name == "edge, lanes=32, energy_pj.mac=0.5"
    assert load_chip(None).name == "edge" and file_of(None) is None
    file = tmp_path / "a,b.toml"
    file.write_text('base = "tiny"', encoding="utf-8")
    assert load_chip(f"{file},lanes=3").lanes == 3
    assert file_of(f"{file},lanes=3") == str(file) == file_of(str(file))


def test_the_commands_take_them(npu, refused, vectors, tmp_path):
    image, line = tmp_path / "a.npu", f"compile {vectors}/fc_relu.tflite -o {tmp_path}/a.npu"
    ran = npu(f"{line} --set lanes=3 --set threads=4 --json -")
    chip = json.loads(ran.out)["chip"]
    assert (chip["name"], chip["lanes"], chip["threads"]) == ("edge, lanes=3, threads=4", 3, 4)
    inputs = f"--input {vectors}/fc_relu.npz --output {tmp_path}/out.npz"
    assert npu(f"run {image} {inputs} --chip edge --set lanes=3 --set threads=4").status == 0
    refused(
        f"run {image} {inputs} --set lanes=4", match="was compiled for one chip.*leave --set out"
    )
    refused(f"run {image} {inputs} --chip edge --set lanes=4", match="differs from --chip edge")
    refused(f"{line} --set lane=3", match="no parameter 'lane'; did you mean 'lanes'")
    refused(f"{line} --set lanes", match="--set 'lanes': write NAME=VALUE, as in --set lanes=32")
    refused(f"{line} --chip edge,lanes=0", match="lanes = 0: input should be greater")
    # What a command was told is forgotten with it.
    assert json.loads(npu(f"{line} --json -").out)["chip"]["lanes"] == 16
