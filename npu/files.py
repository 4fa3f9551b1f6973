"""Every file is read and written through here.

Read: a regular file of at most so many bytes, else a clear error. A named pipe would be waited for
without end, a device or a sparse file would fill the memory. Written: whole, or not at all.
"""

import io
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from npu.errors import NpuError

HEAD_BYTES = 64
"""What `refuse` of `read_file` sees."""

_KINDS = (
    (stat.S_ISDIR, "Is a directory"),
    (stat.S_ISFIFO, "it is a named pipe; give a regular file"),
    (stat.S_ISSOCK, "it is a socket; give a regular file"),
    (lambda mode: not stat.S_ISREG(mode), "it is a device; give a regular file"),
)


def open_file(
    path: str | Path, most: int, error: type[NpuError] = NpuError, name: str | None = None
) -> io.BufferedReader:
    """Open a regular file of at most `most` bytes for reading.

    Raises `error`, naming the path (or `name`) and the reason, for anything else.
    """
    name = str(path) if name is None else name
    try:
        # Without O_NONBLOCK, opening a pipe waits for somebody who writes to it.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        raise error(f"{name}: cannot be read: {reason}") from problem
    try:
        found = os.fstat(opened)
        for is_kind, reason in _KINDS:
            if is_kind(found.st_mode):
                raise error(f"{name}: cannot be read: {reason}")
        require_size(name, found.st_size, most, error)
    except BaseException:
        os.close(opened)
        raise
    return io.BufferedReader(io.FileIO(opened))


def read_file(
    path: str | Path,
    most: int,
    error: type[NpuError] = NpuError,
    refuse: Callable[[bytes, int], str | None] = lambda head, size: None,
    name: str | None = None,
) -> bytes:
    """The bytes of a regular file of at most `most` bytes.

    `refuse` gets the first HEAD_BYTES and the size before the rest is read, and gives the reason
    where the file is something else. Raises `error` as `open_file` does, with that reason, and for
    a file that grows while it is read.
    """
    name = str(path) if name is None else name
    with open_file(path, most, error, name) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            if reason := refuse(file.peek(HEAD_BYTES)[:HEAD_BYTES], size):
                raise error(f"{name}: {reason}")
            data = file.read(size + 1)
            if len(data) > size:
                data += file.read(max(0, most + 1 - len(data)))
        except OSError as problem:
            raise error(f"{name}: cannot be read: {problem.strerror or problem}") from problem
    require_size(name, len(data), most, error)
    return data


def read_text(path: str | Path, most: int, error: type[NpuError] = NpuError) -> str:
    """The text of a regular UTF-8 file of at most `most` bytes, its lines ended by newlines alone.

    A byte order mark before it, as Windows writes, is no part of it. Raises `error` as `read_file`.
    """
    try:
        text = read_file(path, most, error).decode("utf-8").removeprefix("\ufeff")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as problem:
        raise error(
            f"{path}: is not UTF-8 text (byte {problem.start}); save it as UTF-8"
        ) from problem


def require_size(name: str, size: int, most: int, error: type[NpuError] = NpuError) -> None:
    """Raise `error` for more than `most` bytes."""
    if size > most:
        raise error(f"{name}: has {size:,} bytes, at most {most:,} are read; is it the right file?")


def write_atomic(path: str | Path, content: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file as a whole: whatever goes wrong, `path` is as it was before.

    The bytes go to a temporary file in the same folder, which then replaces `path`. A link is
    followed; something that is not a regular file (a pipe, `/dev/null`) is written directly.

    Parameters
    ----------
    path : the file to create or replace. Its folder must exist.
    content : the bytes, or a function that writes them to the open binary file it is given.

    Raises
    ------
    NpuError : the folder is missing or may not be written, `path` is a folder, the disk is full.
    """
    target = require_folder(path)
    direct = target.exists() and not target.is_file()
    # A name of its own, as that of `path` may be as long as names can be.
    opened = target if direct else target.with_name(f".{os.urandom(8).hex()}.tmp")
    try:
        with opened.open("wb" if direct else "xb") as file:
            if callable(content):
                content(file)
            else:
                file.write(content)
        if not direct:
            opened.replace(target)
    except OSError as error:
        # Errors of other files (read by `content`) keep their own name.
        if error.filename not in (None, str(opened)):
            raise
        raise NpuError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        if not direct:
            with suppress(OSError):
                opened.unlink(missing_ok=True)


def write_folder(folder: str | Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder, which is made if it is not there; all of them, or none.

    Files of these names are replaced, others are left alone. Nothing is changed before all are
    complete. Raises NpuError where the folder cannot be had or written.
    """
    with staged_folder(folder) as staged:
        for name, content in files.items():
            (staged / name).write_bytes(content)


@contextmanager
def staged_folder(folder: str | Path) -> Iterator[Path]:
    """Yields an empty folder; what lies in it at the end, subfolders too, goes into `folder`.

    Files of the same names are replaced, others are left alone; a folder that is not there is made.
    Nothing is changed before the end, and nothing at all behind an exception. Raises NpuError where
    the folder cannot be had or written.
    """
    target = require_place_of_folder(folder)
    beside = target if target.is_dir() else target.parent
    try:
        with tempfile.TemporaryDirectory(prefix=".folder-", dir=beside) as temporary:
            staged = Path(temporary) / target.name
            staged.mkdir()
            yield staged
            if target.is_dir():
                _move_in(staged, target, folder)
            else:
                os.rename(staged, target)
    except OSError as error:
        raise NpuError(f"cannot write {folder}: {error.strerror or error}") from error


def _move_in(staged: Path, target: Path, folder: str | Path) -> None:
    """Move every file to its place in a folder that is there."""
    names = [path.relative_to(staged) for path in sorted(staged.rglob("*")) if path.is_file()]
    for name in names:
        if (target / name).is_dir():
            raise NpuError(f"cannot write {Path(folder) / name}: it is a folder")
        _require_way(Path(folder) / name, (target / name).parent)
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        os.replace(staged / name, target / name)


def require_place_of_folder(folder: str | Path) -> Path:
    """A folder that is there or can be made, links followed. Raises NpuError if it cannot."""
    target = Path(os.path.realpath(folder))
    if target.exists() and not target.is_dir():
        raise NpuError(f"cannot write {folder}: it is a file; name a folder")
    _require_parent(folder, target)
    require_writable(folder, target if target.is_dir() else target.parent)
    return target


def require_folder(path: str | Path) -> Path:
    """Where a file is to be written, links followed. Raises NpuError if its folder is none."""
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise NpuError(f"cannot write {path}: it is a folder; name a file in it")
    _require_parent(path, target)
    return target


def require_writable(path: str | Path, folder: Path) -> None:
    """Raise NpuError unless files can be made in `folder`, for `path` to be written."""
    if not os.access(folder, os.W_OK | os.X_OK):
        raise NpuError(f"cannot write {path}: the folder {folder} is read-only")


def _require_parent(path: str | Path, target: Path) -> None:
    """Raise NpuError unless `target` has a folder to lie in."""
    _require_way(path, target.parent)
    if not target.parent.is_dir():
        raise NpuError(f"cannot write {path}: the folder {target.parent} does not exist; create it")


def _require_way(path: str | Path, folder: Path) -> None:
    """Raise NpuError where a file stands where `folder`, or one above it, would have to be."""
    for above in (folder, *folder.parents):
        if above.exists():
            if not above.is_dir():
                raise NpuError(f"cannot write {path}: {above} is a file, not a folder")
            return
