"""The chip in a few words: one spelling for every report."""

import ast

from npu.chip.params import PRESETS, load_params
from npu.chip.summary import summary, summary_text
from tests.imports import PACKAGES, modules, read

KEYS = {"name", "lanes"}


def test_it_says_what_the_chip_is():
    assert summary(load_params("edge")) == {
        "name": "edge",
        "lanes": 16,
        "threads": 2,
        "clock_mhz": 400.0,
    }
    texts = [summary_text(summary(load_params(name))) for name in PRESETS]
    assert texts[1] == "edge (16 lanes of 2 threads, 400 MHz)" and len(set(texts)) == len(PRESETS)
    assert summary_text({**summary(load_params("tiny")), "lanes": 1}).startswith("tiny (1 lane of")


def test_no_report_spells_it_anew():
    """A dictionary with a chip's name and its lanes is made in one place."""
    found = [
        path.as_posix()
        for path in modules(*PACKAGES)
        for node in ast.walk(ast.parse(read(path)))
        if isinstance(node, ast.Dict)
        and {key.value for key in node.keys if isinstance(key, ast.Constant)} >= KEYS
    ]
    assert found == []
