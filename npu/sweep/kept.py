"""What is worked out once is kept in a folder: images and rows, each under the name of its inputs.

Several processes may read and write at a time: files appear whole, and two that write the same
name write the same content.
"""

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

from npu import cache
from npu.errors import NpuError
from npu.files import read_file, write_atomic

KIND = "sweeps"
MOST_BYTES = 4 << 30
"""Of a file."""


class Kept:
    """A folder of files by name. Where there is none, nothing is kept and nothing found."""

    def __init__(self, folder: str | Path | None) -> None:
        self.folder = None if folder is None else Path(folder)

    def read(self, name: str) -> bytes | None:
        """What was written under a name; None where nothing was."""
        if self.folder is None or not (path := self._path(name)).is_file():
            return None
        with suppress(OSError):
            # It is in use, see `users_folder`.
            os.utime(path)
        with suppress(NpuError):
            return read_file(path, MOST_BYTES)
        return None

    def has(self, name: str) -> bool:
        """Whether something was written under a name."""
        return self.folder is not None and self._path(name).is_file()

    def write(self, name: str, data: bytes) -> None:
        """Keep something. Raises NpuError where the folder cannot be written."""
        if self.folder is None:
            return
        path = self._path(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NpuError(f"cannot write {path}: {error.strerror or error}") from error
        write_atomic(path, data)

    def read_values(self, name: str) -> dict[str, Any] | None:
        """An object of JSON; None where none is, or a damaged one."""
        raw = self.read(name)
        if raw is None:
            return None
        try:
            found = json.loads(raw)
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def write_values(self, name: str, values: dict[str, Any]) -> None:
        """Keep an object of JSON."""
        self.write(name, json.dumps(values, allow_nan=False).encode())

    def _path(self, name: str) -> Path:
        assert self.folder is not None, "it is there"
        return self.folder / name[:2] / name


def users_folder() -> Path | None:
    """The folder of this user; None where nothing can be kept.

    What nobody has read for `npu.cache.UNUSED_SECONDS` goes: it is of other sources, or forgotten.
    """
    folder = cache.folder(KIND)
    if folder is not None:
        cache.remove_stale(folder, "??/*", cache.UNUSED_SECONDS)
    return folder
