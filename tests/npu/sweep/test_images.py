"""Points that share an image get, byte for byte, the one that would be compiled for them."""

import pytest

from compiler import compile_model, load_model
from npu.chip.params import ChipParams
from npu.errors import CapacityError
from npu.sweep import images
from npu.sweep.images import LATE, PRICE, TIMING, image_of
from npu.sweep.kept import Kept

STREAMS = {"lanes": 2, "bank_bytes": 1024}
"""Changes with which not all weights of fc_relu stay."""

OTHERS = [
    {"clock_mhz": 17.0},
    {"memory_latency_cycles": 999},
    {"memory_cycles_per_beat": 7},
    {"dma_burst_beats": 2, "dma_outstanding": 1, "dma_queue": 9},
    {"result_fifo": 64},
]


def compiled(point, kept):
    params = ChipParams.model_validate(point.chip)
    return *image_of(point, load_model(point.model), params, kept), params


def alone(point):
    params = ChipParams.model_validate(point.chip)
    return compile_model(load_model(point.model), params).to_bytes()


@pytest.mark.parametrize("other", OTHERS, ids=str)
@pytest.mark.parametrize("base", [{}, STREAMS], ids=["resident", "streamed"])
def test_a_shared_image_is_that_of_the_point(point, tmp_path, base, other):
    kept = Kept(tmp_path)
    first, fresh, _ = compiled(point(**base), kept)
    assert fresh
    assert (min(info.resident for info in first.header.layers)) == (not base)
    image, again, params = compiled(point(**base, **other), kept)
    assert image.params == params
    assert image.to_bytes() == alone(point(**base, **other))
    assert again == (base != {} and bool(set(other) & set(TIMING)))


def test_only_what_matters_is_compiled_again(point, tmp_path):
    kept = Kept(tmp_path)
    fresh = [
        compiled(point(**changes), kept)[1]
        for changes in (
            {},
            {"clock_mhz": 5.0},
            {"memory_latency_cycles": 500},
            {"lanes": 8},
            STREAMS,
            STREAMS | {"clock_mhz": 5.0},
            STREAMS | {"memory_latency_cycles": 500},
            STREAMS | {"memory_latency_cycles": 500, "clock_mhz": 5.0},
        )
    ]
    assert fresh == [True, False, False, True, True, False, True, False]


def test_a_chip_notes_what_is_read_of_it(point):
    chip = images.NotingChip.model_validate(point().chip)
    assert chip.noted == set()
    chip.model_dump()
    assert chip.noted == set() and chip.lanes == 16
    assert {getattr(chip, name) is not None and name for name in LATE} == set(LATE) == chip.noted
    assert {"clock_mhz"} < set(PRICE)


def test_a_refusal_is_kept_as_well(point, tmp_path, monkeypatch):
    kept = Kept(tmp_path)
    with pytest.raises(CapacityError, match="memory_bytes") as first:
        compiled(point("fc_wide", memory_bytes=1 << 16), kept)
    monkeypatch.setattr(images, "compile_model", None)
    with pytest.raises(CapacityError) as second:
        compiled(point("fc_wide", memory_bytes=1 << 16, clock_mhz=3.0), kept)
    assert str(first.value) == str(second.value)


def test_a_damaged_image_is_compiled_again(point, tmp_path):
    kept = Kept(tmp_path)
    compiled(point(), kept)
    (path,) = tmp_path.rglob("*.npu")
    path.write_bytes(path.read_bytes()[:-9])
    image, fresh, _ = compiled(point(), kept)
    assert fresh and image.to_bytes() == alone(point())
