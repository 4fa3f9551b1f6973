"""Reading inputs: only regular files of a sensible size, whatever else is named."""

import io
import os
import re
import socket
from pathlib import Path

import pytest

from compiler import load_model
from npu import files
from npu.chip.params import load_params
from npu.errors import ModelError, NpuError
from npu.files import (
    open_file,
    read_file,
    read_text,
    staged_folder,
    write_atomic,
    write_folder,
)
from npu.model.config import load_model_config
from npu.model.graph import Tensor
from npu.model.tokens import load_tokens
from npu.runtime.image import Image
from npu.runtime.npz import read_inputs

READERS = {
    ".npu": Image.load,
    ".npz": lambda path: read_inputs(path, [Tensor("x", (1,), "int8", None, None)]),
    ".json": load_model_config,
    ".txt": load_tokens,
    ".tflite": load_model,
    ".toml": load_params,
}


def refusal(read, path) -> str:
    with pytest.raises(NpuError) as caught:
        read(path)
    text = str(caught.value)
    assert "\n" not in text and Path(path).name in text
    return text


@pytest.mark.parametrize("suffix", READERS)
def test_every_reader_takes_only_regular_files_of_a_sensible_size(tmp_path, suffix):
    read = READERS[suffix]
    pipe, sparse, taken = (tmp_path / f"{name}{suffix}" for name in ("pipe", "sparse", "socket"))
    os.mkfifo(pipe)
    with sparse.open("wb") as file:
        file.truncate(20 << 30)
    assert "is a named pipe; give a regular file" in refusal(read, pipe)
    assert "is a device; give a regular file" in refusal(read, Path("/dev/zero"))
    assert re.search("has 21,474,836,480 bytes, at most [0-9,]+ are read", refusal(read, sparse))
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(taken))
        refusal(read, taken)


@pytest.mark.parametrize("suffix", [".npu", ".tflite"])
def test_what_is_no_model_is_not_read_whole(tmp_path, suffix, monkeypatch):
    """Two GiB of zeros are within the limit of these files."""
    path = tmp_path / f"zeros{suffix}"
    with path.open("wb") as file:
        file.truncate(2 << 30)
    asked = []

    class Counting(io.FileIO):
        def readinto(self, buffer):
            asked.append(len(buffer))
            return super().readinto(buffer)

    monkeypatch.setattr(files.io, "FileIO", Counting)
    assert re.search("does not begin with a header|must be TFL3", refusal(READERS[suffix], path))
    assert 0 < sum(asked) <= 1 << 20


def test_the_limit_is_exact(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 100)
    assert read_file(path, 100) == b"x" * 100
    with pytest.raises(NpuError, match="has 100 bytes, at most 99 are read"):
        read_file(path, 99)
    with open_file(path, 100) as file:
        assert file.read() == b"x" * 100


def test_a_file_that_claims_no_size_is_not_believed():
    """Files of /proc have size 0 and contents."""
    assert read_file("/proc/self/cmdline", 1 << 20)
    with pytest.raises(NpuError, match="has 11 bytes, at most 10 are read"):
        read_file("/proc/self/maps", 10)


def test_a_reason_to_refuse_comes_before_the_rest_is_read(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 1000)
    seen = []
    with pytest.raises(ModelError, match=r"a\.bin: it is something else"):
        read_file(path, 2000, ModelError, lambda *args: seen.append(args) or "it is something else")
    assert seen == [(b"x" * 64, 1000)]


def test_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("größer".encode())
    assert read_text(path, 100) == "größer"
    path.write_bytes("\ufeffgrößer\r\n".encode())
    assert read_text(path, 100) == "größer\n"
    path.write_bytes(b"abc\xff")
    with pytest.raises(NpuError, match=r"a\.txt: is not UTF-8 text \(byte 3\); save it as UTF-8"):
        read_text(path, 100)


@pytest.mark.parametrize("length", [240, 251, 255])
def test_a_long_name_of_an_output(tmp_path, length):
    target = tmp_path / ("x" * length)
    write_atomic(target, b"bytes")
    assert target.read_bytes() == b"bytes"


class Interrupted(BaseException):
    """What is no Exception must not leave a file behind either."""


@pytest.mark.parametrize("error", [NpuError("stop"), Interrupted()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, error):
    target = tmp_path / "out.npu"
    target.write_bytes(b"old")

    def content(file):
        file.write(b"half")
        file.flush()
        raise error

    with pytest.raises(type(error)):
        write_atomic(target, content)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_write_replaces_the_file_as_a_whole(tmp_path):
    target = tmp_path / "out.bin"
    write_atomic(target, b"first")
    write_atomic(target, lambda file: file.write(b"second"))
    assert target.read_bytes() == b"second"
    assert list(tmp_path.iterdir()) == [target]


def test_a_written_file_has_the_usual_mode_and_a_link_stays_one(tmp_path):
    target, link, usual = tmp_path / "out.bin", tmp_path / "link", tmp_path / "usual"
    usual.touch()
    link.symlink_to(target)
    write_atomic(link, b"bytes")
    assert link.is_symlink()
    assert target.read_bytes() == b"bytes"
    assert target.stat().st_mode == usual.stat().st_mode


def test_something_that_is_no_file_is_written_directly():
    write_atomic("/dev/null", b"bytes")
    assert not Path("/dev/null").is_file()


def test_an_impossible_place_is_named(tmp_path):
    with pytest.raises(NpuError, match=r"the folder .*/none does not exist; create it"):
        write_atomic(tmp_path / "none" / "out.bin", b"")
    with pytest.raises(NpuError, match="it is a folder"):
        write_atomic(tmp_path, b"")
    (tmp_path / "file").touch()
    for name in ("out.bin", "deep/out.bin"):
        with pytest.raises(NpuError, match=r"cannot write .*bin: .*/file is a file, not a folder"):
            write_atomic(tmp_path / "file" / name, b"")
    with pytest.raises(NpuError, match=r"cannot write .*out: .*/file is a file, not a folder"):
        write_folder(tmp_path / "file" / "out", {})


def test_a_folder_that_nothing_can_be_written_into_is_named(tmp_path, monkeypatch):
    """Root may write everywhere: what the system says is put in its place."""
    (tmp_path / "there").mkdir()
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    for name, named in (("there", tmp_path / "there"), ("new", tmp_path)):
        message = f"cannot write {tmp_path / name}: the folder {named} is read-only"
        with pytest.raises(NpuError, match=f"^{re.escape(message)}$"):
            write_folder(tmp_path / name, {"a": b""})


def test_a_folder_gets_all_files_or_none(tmp_path):
    out = tmp_path / "out"
    for content in (b"first", b"second"):
        with staged_folder(out) as staged:
            (staged / "deep").mkdir()
            (staged / "deep" / "a").write_bytes(content)
        assert (out / "deep" / "a").read_bytes() == content
        (out / "mine").write_text("mine")
    (out / "b").mkdir()
    with pytest.raises(NpuError, match=r"out/b: it is a folder"), staged_folder(out) as staged:
        (staged / "a").write_bytes(b"third")
        (staged / "b").write_bytes(b"third")
    with pytest.raises(ZeroDivisionError), staged_folder(out) as staged:
        (staged / "a").write_bytes(str(1 // 0).encode())
    assert sorted(path.name for path in out.iterdir()) == ["b", "deep", "mine"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_is_one_clear_line():
    with pytest.raises(NpuError, match="cannot write /dev/full: No space left on device"):
        write_atomic("/dev/full", b"bytes")
