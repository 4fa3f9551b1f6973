"""Where machine code is kept between runs: folders that are the user's alone, files that are whole.

What lies in a cache is executed. So a folder that others may write to is not used, and a file is
believed only with the digest that was written with it; one that is damaged is made again.
"""

import atexit
import hashlib
import os
import shutil
import stat
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

PRIVATE = 0o700
DIGEST_SUFFIX = ".sha256"
STALE_SECONDS = 3600
UNUSED_SECONDS = 30 * 86_400


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=3)


note: Callable[[str], None] = _warn
"""Told once where no lasting cache can be kept; the command line puts its own in here."""


def folder(kind: str) -> Path | None:
    """The folder of one kind of cache: $XDG_CACHE_HOME/zeroskip/`kind`, else in ~/.cache.

    Where that cannot be written, or is not the user's alone: a temporary one until the process
    ends; None where there is no place for that either. Both are noted once.
    """
    return _folder(kind, os.environ.get("XDG_CACHE_HOME") or None)


def place(kind: str) -> Path | None:
    """Where the folder of one kind of cache is, or would be; nothing is made."""
    try:
        return _users(os.environ.get("XDG_CACHE_HOME") or None) / "zeroskip" / kind
    except RuntimeError:
        return None


def _users(base: str | None) -> Path:
    """The user's folder of caches; RuntimeError where nobody knows it."""
    return Path(base) if base else Path.home() / ".cache"


@lru_cache
def _folder(kind: str, base: str | None) -> Path | None:
    try:
        return private(_users(base) / "zeroskip" / kind)
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
    try:
        place = Path(tempfile.mkdtemp(prefix="zeroskip-"))
    except OSError:
        note(f"no cache of {kind} can be kept ({reason}): it is made anew in every run")
        return None
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    note(f"the cache of {kind} cannot be kept ({reason}): it is made anew in every run")
    return place


@contextmanager
def lent_to_tools() -> Iterator[None]:
    """Tools that are started here find a cache of theirs, a temporary one if the user has none.

    The WebAssembly runtime below Yosys and nextpnr does not run without.
    """
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory(prefix="zeroskip-") as temporary:
        try:
            base = _users(before)
            base.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=base).close()
        except (OSError, RuntimeError):
            os.environ["XDG_CACHE_HOME"] = temporary
        try:
            yield
        finally:
            os.environ.pop("XDG_CACHE_HOME", None)
            if before is not None:
                os.environ["XDG_CACHE_HOME"] = before


def private(place: Path) -> Path:
    """Make sure of a folder that the user alone may enter, and can write to; returns it.

    Raises OSError with the reason.
    """
    for path in (place.parent, place):
        path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
        found = path.stat()
        if found.st_uid != os.geteuid():
            raise PermissionError(0, f"{path} belongs to somebody else", str(path))
        if stat.S_IMODE(found.st_mode) != PRIVATE:
            path.chmod(PRIVATE)
    tempfile.TemporaryFile(dir=place).close()
    return place


def seal(data: bytes) -> bytes:
    """The digest of a file's contents, to be kept with it."""
    return hashlib.sha256(data).digest()


def keep(made: Path, kept: Path) -> None:
    """Move a finished file into the cache, with its digest beside it, over a damaged one.

    Who looks in between finds that the two do not match, and makes the file anew as well.
    """
    digest = kept.with_name(kept.name + DIGEST_SUFFIX)
    written = made.with_name(made.name + DIGEST_SUFFIX)
    written.write_bytes(seal(made.read_bytes()))
    os.replace(written, digest)
    os.replace(made, kept)


def intact(kept: Path) -> bool:
    """Whether a file is there as `keep` left it. Deletes nothing: another may be keeping it."""
    try:
        digest = kept.with_name(kept.name + DIGEST_SUFFIX).read_bytes()
        return seal(kept.read_bytes()) == digest
    except OSError:
        return False


def remove_stale(place: Path, pattern: str, seconds: float = STALE_SECONDS) -> None:
    """Delete files and folders `pattern` with which nothing has happened for so long.

    Their makers died, or, where they are touched when they are used (UNUSED_SECONDS), nobody needs
    them any more.
    """
    for path in place.glob(pattern):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > seconds:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
