"""Arrays in `.npz` files: nothing of a hostile file is believed, and the same arrays give the same
bytes."""

import io
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import IO, BinaryIO

import numpy as np

from npu.errors import InputError
from npu.files import open_file
from npu.model.inputs import Expected
from npu.text import printable

MAX_BYTES = 256 << 20
"""Most bytes of input in one file, so that a small archive cannot fill the memory."""

MAX_FILE_BYTES = 2 * MAX_BYTES
"""Of the file: other arrays in it are ignored."""

_LONGEST_DIRECTORY = 1 << 20
# What numpy writes; the decompressors of other methods believe sizes that the file claims.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)

_LONGEST_HEADER = 4096
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def read_inputs(path: Path, wanted: Sequence[Expected]) -> list[np.ndarray]:
    """Read `input0`, `input1`, ..., each (calls, *shape).

    Sizes and types are checked before any data is read. Raises InputError naming the file, the
    array and what it must be.
    """
    with open_file(path, MAX_FILE_BYTES, InputError) as file:
        try:
            with _opened(file) as archive:
                return _read(archive, wanted)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error.__cause__
        except OSError as error:
            raise InputError(f"{path}: cannot be read: {error.strerror or error}") from error
        except _DAMAGE as error:
            raise InputError(
                f"{path}: not an .npz file, or damaged ({error!s:.120}); write it with numpy.savez"
            ) from error


# What the library raises for a hostile archive.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    ArithmeticError,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


# What numpy raises for a hostile header.
_NO_HEADER = (KeyError, MemoryError, RecursionError, SyntaxError, TypeError, ValueError)


class _Cautious(io.BufferedReader):
    """While an archive is opened: its directory is not read as long as it claims to be."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size > _LONGEST_DIRECTORY:
            raise zipfile.BadZipFile("its directory is too long")
        return super().read(size)


def _opened(file: BinaryIO) -> zipfile.ZipFile:
    with _Cautious(io.FileIO(file.fileno(), closefd=False)) as cautious:
        archive = zipfile.ZipFile(cautious)
    archive.fp = file
    return archive


def _read(archive: zipfile.ZipFile, wanted: Sequence[Expected]) -> list[np.ndarray]:
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    names = [f"input{index}" for index in range(len(wanted))]
    inputs = "input" if len(names) == 1 else "inputs"
    if missing := [name for name in names if name not in members]:
        found = ", ".join(sorted(members)[:8]) or "nothing"
        raise InputError(
            f"holds no {missing[0]!r}; the model takes {len(names)} {inputs}: "
            f"{', '.join(names)}; found: {printable(found):.200}"
        )
    if more := [name for name in members if name.startswith("input") and name not in names]:
        raise InputError(
            f"holds {more[0]!r:.60}, the model takes {len(names)} {inputs}: {', '.join(names)}"
        )
    declared = sum(members[name].file_size for name in names)
    if declared > MAX_BYTES:
        raise InputError(
            f"declares {declared} bytes of inputs, at most {MAX_BYTES} are read; split it"
        )
    for name in names:
        if members[name].compress_type not in _METHODS:
            raise InputError(
                f"{name!r} is compressed in a way that numpy does not write; write the file with "
                "numpy.savez"
            )
    arrays = []
    for name, want in zip(names, wanted, strict=True):
        with archive.open(members[name]) as file:
            arrays.append(_array(file, name, want, members[name].file_size))
    counts = {name: len(array) for name, array in zip(names, arrays, strict=True)}
    if len(set(counts.values())) != 1:
        each = ", ".join(f"{name} {count}" for name, count in counts.items())
        raise InputError(f"the numbers of calls differ: {each}; give as many of each")
    return arrays


def _array(file: IO[bytes], name: str, want: Expected, size: int) -> np.ndarray:
    try:
        version = np.lib.format.read_magic(file)
        reader = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        shape, fortran, dtype = reader(file, max_header_size=_LONGEST_HEADER)
    except (*_NO_HEADER, tokenize.TokenError) as error:
        raise InputError(f"{name!r} is no numpy array that can be read ({error!s:.120})") from error
    if dtype != want.dtype:
        raise InputError(f"{name!r} must be {want.dtype}, not {dtype!s:.60}")
    if len(shape) != len(want.shape) + 1 or shape[1:] != want.shape:
        expected = ", ".join(["calls", *map(str, want.shape)])
        raise InputError(
            f"{name!r} must have the shape ({expected}), one entry per call, not {shape!s:.60}"
        )
    if shape[0] < 1:
        raise InputError(f"{name!r} holds no calls")
    n_bytes = prod(shape) * dtype.itemsize
    if n_bytes > size:
        raise InputError(f"{name!r} is cut short: its header claims {n_bytes} bytes of data")
    data = file.read(n_bytes)
    if len(data) != n_bytes or file.read(1):
        raise InputError(f"{name!r} must hold {n_bytes} bytes of data, as its header says")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def npz_writer(arrays: Mapping[str, np.ndarray]) -> Callable[[BinaryIO], None]:
    """What writes the arrays to an open file, for `write_atomic`."""

    def write(file: BinaryIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            for name, array in arrays.items():
                info = zipfile.ZipInfo(f"{name}.npy", _LONG_AGO)
                with archive.open(info, "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)

    return write


def named(outputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Outputs by their names in a file: `output`, or `output0`, `output1`, ... of several."""
    names = ["output"] if len(outputs) == 1 else [f"output{i}" for i in range(len(outputs))]
    return dict(zip(names, outputs, strict=True))
