"""Folders in which tools leave files of fixed names: one run at a time."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from npu.errors import NpuError

LOCK = ".lock"


class FolderTaken(NpuError):
    """Another run is at work in the folder."""


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Make `folder` and keep other runs out of it.

    Raises FolderTaken at once if another run, of this process or of another, has it. The claim ends
    with the process, however that ends. Raises NpuError if the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / LOCK).open("w")
    except OSError as error:
        reason = "it is a file; name a folder" if folder.is_file() else error.strerror
        raise NpuError(f"cannot write {folder}: {reason or error}") from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderTaken(
                f"another run is at work in {folder}; wait for it, or name another folder"
            ) from None
        yield
