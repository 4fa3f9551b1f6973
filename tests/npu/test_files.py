"""Reading inputs: only regular files of a sensible size, whatever else is named."""

import io
import os
import re
import socket
from pathlib import Path

import numpy as np
import pytest
from npu.cli._npz import Wanted, read_inputs

from compiler import load_model
from npu import files
from npu.chip.params import load_params
from npu.errors import ModelError, NpuError
from npu.files import open_file, read_file, read_text
from npu.model.config import load_model_config, load_tokens
from npu.runtime.image import Image

READERS = {
    ".npu": Image.load,
    ".npz": lambda path: read_inputs(path, [Wanted((1,), np.dtype(np.int8))]),
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
