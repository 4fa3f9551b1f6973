"""Rows: what a point costs, kept under what decides it."""

import os
import time

import pytest

from compiler import compile_model, load_model
from npu import cache
from npu.analysis.latency import latency_of
from npu.chip.params import ChipParams
from npu.sweep import compute as computing
from npu.sweep.compute import Results, compute
from npu.sweep.kept import Kept, users_folder
from tests.schemas import faults


def test_figures_are_those_of_the_analyses(point, tmp_path):
    at = point("fc_wide", bank_bytes=8192)
    row = compute(at, tmp_path)
    assert faults(dict(row), Results) == [] and row["error"] is None
    params = ChipParams.model_validate(at.chip)
    image = compile_model(load_model(at.model), params)
    latency = latency_of(image, frames=1)
    assert row["latency_cycles"] == latency.frame_cycles.max()
    assert row["latency_ms"] == params.milliseconds(row["latency_cycles"])
    assert row["energy_uj"] == latency.total.energy_uj["total"]
    assert row["on_chip_bytes"] == 16 * (8192 + 2048) + 65536 + 65536 + 32768
    assert 0 < row["resident_share"] < 1
    # What is streamed comes over the bus in every frame.
    (layer,) = image.header.layers
    streamed = layer.streamed_bytes
    assert row["resident_bytes"] == layer.resident_bytes
    assert row["weight_bytes"] == layer.resident_bytes + streamed
    moved = latency.total.memory_bytes["external read"]
    assert streamed <= moved <= 1.2 * streamed


def test_thinner_weights_cost_less(point, tmp_path):
    rows = [
        compute(point("fc_wide", sparsity, bits), tmp_path)
        for sparsity, bits in ((None, None), (0.9, None), (0.9, 4))
    ]
    bits = [row["bits_per_weight"] for row in rows]
    assert bits == sorted(bits, reverse=True) and bits[0] > bits[-1]
    assert rows[1]["zeros"] == pytest.approx(0.9, abs=0.001)
    assert rows[1]["latency_cycles"] < 0.6 * rows[0]["latency_cycles"]


def test_a_row_is_worked_out_once(point, tmp_path, monkeypatch):
    row = compute(point(), tmp_path)
    assert row["compiled"]
    monkeypatch.setattr(computing, "latency_of", None)
    assert compute(point(), tmp_path) == row
    assert "fault" in compute(point(clock_mhz=3.0), tmp_path)["error"]


@pytest.mark.parametrize(
    ("changes", "match"),
    [({"lanes": 0}, "lanes = 0"), ({"memory_bytes": 1 << 16}, "memory_bytes 65536")],
)
def test_a_failure_is_a_row_with_its_reason(point, tmp_path, changes, match):
    at = point("fc_wide", **changes)
    row = compute(at, tmp_path)
    assert match in row["error"] and row["latency_ms"] is None
    assert Kept(tmp_path).has(f"{at.key}.row")


def test_a_model_that_has_changed_is_not_the_point(point, tmp_path):
    at = point()
    other = type(at)(**{**vars(at), "sources": {"fc_relu.tflite": "0" * 64}})
    assert "was changed" in compute(other, tmp_path)["error"]


def test_a_signature_is_chosen(point, vectors):
    several = vectors.parent / "refused" / "multisig.tflite"
    at = point()
    sources = load_model(several, "enc").sources

    def of(signature):
        changes = {"model": str(several), "sources": sources, "signature": signature}
        return type(at)(**vars(at) | changes)

    rows = [compute(of(name), None) for name in ("enc", "dec")]
    assert [row["error"] for row in rows] == [None, None]
    assert [row["weights"] for row in rows] == [8 * 12, 4 * 12]
    assert "choose one with" in compute(of(None), None)["error"]
    assert 'no signature "x"' in compute(of("x"), None)["error"]
    assert len({of(name).key for name in ("enc", "dec", None)}) == 3


def test_what_is_read_is_kept_and_what_nobody_reads_goes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept = Kept(users_folder())
    long_ago = time.time() - cache.UNUSED_SECONDS - 60
    for name in ("ab.row", "cd.npu"):
        kept.write(name, b"{}")
        os.utime(kept.folder / name[:2] / name, (long_ago, long_ago))
    assert kept.read("ab.row") == b"{}"
    assert Kept(users_folder()).has("ab.row") and not Kept(users_folder()).has("cd.npu")
    # A folder that was given is the user's own.
    os.utime(kept.folder / "ab" / "ab.row", (long_ago, long_ago))
    assert Kept(kept.folder).has("ab.row")


def test_names_follow_what_decides(point):
    same = point()
    assert same.key == point().key == point(bits=8).key
    others = [point(lanes=8), point(clock_mhz=1.0), point(bits=7), point("fc_wide")]
    assert len({same.key, *(other.key for other in others)}) == 5


def test_no_result_has_the_name_of_a_parameter(point):
    assert not set(Results.__annotations__) & set(point().chip)
