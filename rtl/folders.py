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
    with the process, however that ends.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderTaken(
                f"another run is at work in {folder}; wait for it, or name another folder"
            ) from None
        yield
