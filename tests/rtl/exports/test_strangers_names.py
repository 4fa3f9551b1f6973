"""Names of strangers in an export: nothing of a chip's or a model's name means anything in it."""

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from npu.api.example import example_of
from npu.chip.params import ChipParams, load_params
from npu.errors import ParamsError
from rtl.exports.core import core_file, package_script
from rtl.exports.example import FACTS, example_files
from rtl.exports.header import header
from rtl.exports.sdc import constraints

HOSTILE = (
    "x} [exec touch {place}] {{",
    "a\nexec touch {place}",
    "a\\\nb",
    'a"b',
    "$a",
    "a;b",
    "#a",
    "a\u202eb",
    "größe",
    "*/ a",
    "`include",
    "",
)
# Every character that a name may have.
MOST = "Chip 1.0_a-b+c (copy), lanes=2"


def tiny() -> ChipParams:
    return load_params("tiny")


@pytest.mark.parametrize("name", HOSTILE)
def test_such_a_chip_is_refused(name, tmp_path):
    name = name.replace("{place}", str(tmp_path / "here"))
    with pytest.raises(ParamsError, match=r"name = .*: a name has letters, digits, spaces and"):
        tiny().model_copy(update={"name": name})


def test_a_name_that_is_made_of_others_is_plain(tmp_path):
    """Of a file and of values: nobody has chosen it as a name."""
    file = tmp_path / "größe [x].toml"
    file.write_text("base = 'tiny'\n")
    assert load_params(file).name == "gr__e _x_"
    table = {"node_nm": 28, "voltage": 0.9}
    assert tiny().with_overrides({"technology": table}).name.startswith("tiny, technology=__node")


def test_no_line_of_a_comment_begins_with_a_name():
    """There it could be an order to a tool: "// verilator ...", "// synthesis ..."."""
    for before in range(100):
        name = "x" * before + " synthesis translate_off"
        text = header(
            "zeroskip", tiny().model_copy(update={"name": name.strip()}), {"clk": "Clock"}
        )
        assert not [line for line in text.splitlines() if line.startswith("// synthesis")], before
        assert repr(name.strip()) in text


@pytest.mark.skipif(shutil.which("tclsh") is None, reason="tclsh is not installed")
@pytest.mark.parametrize("file", ["package_ip.tcl", "zeroskip.sdc"])
def test_tcl_sees_the_name_as_text(tmp_path, file):
    """Every command that the script calls takes its words and gives nothing."""
    chip = tiny().model_copy(update={"name": MOST})
    text = package_script("zeroskip", chip) if file.endswith("tcl") else constraints(chip, ["rst"])
    (tmp_path / file).write_text(text)
    run = tmp_path / "run.tcl"
    run.write_text(
        'proc unknown {args} { puts $args; return "" }\n'
        f"source {{{tmp_path / file}}}\nputs done\n"
    )
    done = subprocess.run(
        ["tclsh", str(run)], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.endswith("done\n") and not done.stderr
    if file.endswith("tcl"):
        assert f"display_name {{zeroskip, chip {MOST}}}" in done.stdout


def test_the_core_file_is_yaml():
    yaml = pytest.importorskip("yaml", reason="FuseSoC is not installed")
    chip = tiny().model_copy(update={"name": MOST})
    _, _, body = core_file("zeroskip", chip, True).partition("\n")
    name = yaml.safe_load(body)["name"]
    assert name.startswith("zeroskip:npu:zeroskip_Chip_1_0_a_b_c__copy___lanes_2:")


@pytest.fixture(scope="module")
def example():
    return example_of(tiny())


@pytest.mark.parametrize(
    "name", ["verilator lint_off", "a\n`define ZS_CALLS 0", "a\r`undef ZS_BOOT", "a \\", "größe"]
)
def test_the_name_of_a_model_stays_in_its_comment(example, name):
    """A file that is called so may be given to `--model`."""
    plain = example_files(example)[FACTS].splitlines()
    text = example_files(replace(example, source=f"{name}, random inputs"))[FACTS]
    first, *others = text.splitlines()
    assert others == plain[1:]
    assert first.startswith("// Calls: ")
    assert first.endswith(", random inputs") and first.isascii() and "`" not in first


def test_the_line_of_the_zoo_is_whole(example):
    assert f"// Calls: {example.source}\n" in example_files(example)[FACTS]
    assert Path(FACTS).name == "example.vh"
