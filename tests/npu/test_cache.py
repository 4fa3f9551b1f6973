"""Caches: private, whole, and never a reason to fail."""

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from npu import cache, jit
from tests.conftest import ROOT
from tests.imports import imported, modules, read

KERNEL = """
from npu.jit import kernel

@kernel
def double(x):
    return 2 * x

print(double(21), sum(double.stats.cache_hits.values()))
"""


@pytest.fixture
def notes(monkeypatch):
    told: list[str] = []
    monkeypatch.setattr(cache, "note", told.append)
    cache._folder.cache_clear()
    yield told
    cache._folder.cache_clear()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_folder_is_the_users_alone(tmp_path, monkeypatch, notes):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    old = os.umask(0)
    try:
        made = cache.folder("numba")
    finally:
        os.umask(old)
    assert made == tmp_path / "zeroskip" / "numba"
    assert mode(made) == mode(made.parent) == 0o700
    made.chmod(0o777)
    made.parent.chmod(0o755)
    cache._folder.cache_clear()
    assert cache.folder("numba") == made
    assert mode(made) == mode(made.parent) == 0o700
    assert notes == []


def test_without_a_place_there_is_a_temporary_one(tmp_path, monkeypatch, notes):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    made = cache.folder("verilator")
    assert made is not None and made.is_dir() and mode(made) == 0o700
    assert cache.folder("verilator") == made
    assert len(notes) == 1
    assert notes[0].startswith("the cache of verilator cannot be kept (Not a directory)")


def test_without_any_place_there_is_no_cache(tmp_path, monkeypatch, notes):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))

    def nowhere(**options):
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(cache.tempfile, "mkdtemp", nowhere)
    assert cache.folder("numba") is None
    assert [note.partition(" (")[0] for note in notes] == ["no cache of numba can be kept"]


def test_a_folder_of_somebody_else_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(PermissionError, match="belongs to somebody else"):
        cache.private(tmp_path / "a" / "b")


@pytest.mark.parametrize("damage", ["flipped", "cut", "empty", "no digest", "other digest"])
def test_a_damaged_file_is_noticed_and_replaced(tmp_path, damage):
    kept, made = tmp_path / "chip.so", tmp_path / "made"
    made.write_bytes(b"machine code")
    cache.keep(made, kept)
    digest = kept.with_name("chip.so.sha256")
    assert cache.intact(kept) and not made.exists()
    match damage:
        case "flipped":
            kept.write_bytes(b"machine cide")
        case "cut":
            kept.write_bytes(b"mach")
        case "empty":
            kept.write_bytes(b"")
        case "no digest":
            digest.unlink()
        case "other digest":
            digest.write_bytes(bytes(32))
    assert not cache.intact(kept)
    made.write_bytes(b"machine code")
    cache.keep(made, kept)
    assert cache.intact(kept)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chip.so", "chip.so.sha256"]


def test_only_stale_folders_are_removed(tmp_path):
    for name in ("build-old", "build-new", "kept-old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "chip.o").touch()
    long_ago = time.time() - 2 * cache.STALE_SECONDS
    for name in ("build-old", "kept-old"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    cache.remove_stale(tmp_path, "build-*")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["build-new", "kept-old"]


def test_stale_files_are_removed(tmp_path):
    for name in ("ab", "cd"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "row").touch()
    long_ago = time.time() - cache.UNUSED_SECONDS - 60
    os.utime(tmp_path / "ab" / "row", (long_ago, long_ago))
    cache.remove_stale(tmp_path, "??/*", cache.UNUSED_SECONDS)
    assert list(tmp_path.rglob("row")) == [tmp_path / "cd" / "row"]


def run_kernel(folder: Path, **environment: str) -> subprocess.CompletedProcess:
    script = folder / "script.py"
    script.write_text(KERNEL)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, env=env | environment
    )


def test_damaged_machine_code_is_made_again(tmp_path):
    """Unnoticed, it raised an error of pickle's, or ended the process."""
    assert run_kernel(tmp_path).stdout == "42 0\n"
    files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".nbi", ".nbc"}
    assert {mode(path.parent) for path in files} <= {0o700, 0o755}
    assert run_kernel(tmp_path).stdout == "42 1\n"
    for path in files:
        raw = bytearray(path.read_bytes())
        for at in range(0, len(raw), 97):
            raw[at] ^= 0x55
        path.write_bytes(raw)
    damaged = run_kernel(tmp_path)
    assert (damaged.returncode, damaged.stdout, damaged.stderr) == (0, "42 0\n", "")
    assert run_kernel(tmp_path).stdout == "42 1\n"


def test_the_command_line_works_where_nothing_can_be_kept(tmp_path):
    """A container without a home, its package read-only."""
    (tmp_path / "cache").touch()
    env = {
        key: value for key, value in os.environ.items() if key not in ("HOME", "NUMBA_CACHE_DIR")
    }
    env |= {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-m", "npu.cli", "inspect", "--operators"],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    assert done.returncode == 0 and done.stdout.startswith("ABS: ")
    assert done.stderr.startswith("note: the cache of numba cannot be kept (Not a directory)")
    assert done.stderr.count("\n") == 1


def test_tools_are_lent_a_cache_where_the_user_has_none(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with cache.lent_to_tools():
        lent = Path(os.environ["XDG_CACHE_HOME"])
        (lent / "wasmtime").mkdir()
    assert not lent.exists()
    assert "XDG_CACHE_HOME" not in os.environ
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    with cache.lent_to_tools():
        assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "own")
    assert os.environ["XDG_CACHE_HOME"] == str(tmp_path / "own")


def test_rooms_that_are_plain_hold_no_compiled_loop():
    """What they hold is left out of the fingerprint."""
    compilers = ("npu.jit", "npu.chip.compiled")
    for path in modules("npu"):
        if path.parts[1] in jit.PLAIN_ROOMS:
            names = {name for _, name in imported(read(path), ".".join(path.parts[:-1]))}
            assert not [name for name in names if name.startswith(compilers)], path


def test_the_fingerprint_sees_sources_wherever_they_lie(tmp_path):
    """A checkout may lie below a folder with the name of a plain room."""
    package = tmp_path / "cli" / "npu"
    for name in ("jit.py", "cli/run.py", "twin/lane.py"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).touch()
    assert jit._sources(package) == [package / "jit.py", package / "twin" / "lane.py"]
