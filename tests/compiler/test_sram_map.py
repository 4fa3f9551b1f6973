"""The map of vector SRAM: what the image's commands use, at every step."""

import pytest

from compiler import compile_model, load_model
from compiler.sram_map import sram_map
from npu.chip.params import load_params
from npu.errors import CapacityError

EDGE = load_params("edge")


def test_it_is_that_of_the_image():
    model = load_model("commands_rnnt")
    header = compile_model(model, EDGE).header
    found = sram_map(model, EDGE)
    assert found.used_bytes == header.sram_bytes
    assert max(each.address + each.n_bytes for each in found.ranges) == header.sram_bytes
    alive = [
        sum(each.n_bytes for each in found.ranges if each.first <= step <= each.last)
        for step in range(len(found.steps))
    ]
    # Of an output that is written over its input, both are counted in one step.
    assert max(alive) >= header.live_bytes
    assert {layer.graph for layer in found.steps} == {"encoder", "decoder", "joiner"}
    assert all(
        (each.first, each.last) == (0, len(found.steps) - 1)
        for each in found.ranges
        if each.persistent
    )


def test_what_does_not_fit_is_refused():
    with pytest.raises(CapacityError, match="vector SRAM"):
        sram_map(load_model("commands_rnnt"), EDGE.model_copy(update={"sram_bytes": 1024}))
