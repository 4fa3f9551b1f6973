"""Hostile `.npz` files: every one is refused in one line, in little memory and time."""

import io
import zipfile

import numpy as np
import pytest

from npu.errors import InputError
from npu.model.graph import Tensor
from npu.runtime.npz import read_inputs

WANTED = [Tensor("x", (1, 96), "int8", None, None)] * 2


def npy(array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


GOOD = npy(np.ones((2, 1, 96), np.int8))


def archive(method=zipfile.ZIP_DEFLATED, **members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as out:
        for name, data in members.items():
            out.writestr(f"{name}.npy", data)
    return file.getvalue()


def refusal(path) -> str | None:
    """What the reader says; None if it takes the file."""
    try:
        read_inputs(path, WANTED)
    except InputError as error:
        assert "\n" not in str(error) and str(error).startswith(f"{path}: ")
        return str(error)
    return None


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_compressions_are_refused_unseen(tmp_path, method):
    path = tmp_path / "in.npz"
    content = archive(method, input0=GOOD, input1=GOOD)
    at = content.index(b"input0.npy") + len("input0.npy")
    for damage in (b"", b"\xff" * 20):
        path.write_bytes(content[:at] + damage + content[at + len(damage) :])
        assert "'input0' is compressed in a way that numpy does not write" in refusal(path)


def test_a_header_that_python_cannot_tokenise(tmp_path):
    """Whatever of its letters is changed to whatever."""
    path = tmp_path / "in.npz"
    said = []
    for at in range(0, 64):
        for wrong in (b"(", b"'", b"\\", b"\0", b"\xff"):
            damaged = GOOD[:at] + wrong + GOOD[at + 1 :]
            path.write_bytes(archive(input0=damaged, input1=GOOD))
            said.append(refusal(path))
    assert sum(text is None for text in said) < 20
    assert any(text and "EOF" in text for text in said)


def test_a_directory_is_not_read_as_long_as_it_claims(tmp_path):
    path = tmp_path / "in.npz"
    content = archive(input0=GOOD, input1=GOOD)
    end = content.rindex(b"PK\5\6")
    size = (400 << 20).to_bytes(4, "little")
    with path.open("wb") as file:
        file.truncate(400 << 20)
        file.seek(0, io.SEEK_END)
        file.write(content[end : end + 12] + size + content[end + 16 :])
    assert "not an .npz file, or damaged (its directory is too long)" in refusal(path)


def test_any_flipped_bytes_are_one_line(tmp_path):
    path = tmp_path / "in.npz"
    content = archive(input0=GOOD, input1=GOOD)
    rng = np.random.default_rng(9)
    taken = 0
    for _ in range(1000):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), 3):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        taken += refusal(path) is None
    assert taken < 500
