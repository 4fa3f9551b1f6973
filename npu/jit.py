"""Compilation of numeric loops with numba, with a cache on disk that cannot go stale or bad.

Numba's cache notices a change in the file of the compiled function, but not in the files of the
functions that it inlines. The cache entry is therefore named after a digest of every source of
the packages from which it may inline. Nor does it notice damage: what it loads is carried with a
digest (see `npu.cache`).
"""

import gc
import hashlib
import os
import pickle
from collections.abc import Callable
from contextlib import suppress
from functools import cache as remembered
from pathlib import Path
from typing import Any

import numba
from numba.core import event
from numba.core.caching import IndexDataCacheFile, dumps

from npu import cache
from npu.inner import InnerKernel

# Its values are set when it is imported.
_CONFIG: Any = numba.config
_DIGEST_BYTES = 32
# Free of the global lock, and not to be called from C, which numba's types do not know.
_OPTIONS = {"nogil": True, "no_cfunc_wrapper": True}
_njit: Any = numba.njit

PLAIN_ROOMS = ("analysis", "api", "cli", "events", "runtime", "speech", "sweep", "waves", "zoo")
"""Of npu: what holds no compiled loop and is inlined into none. A change there compiles nothing."""


@remembered
def _fingerprint(package: str) -> str:
    """Digest of the sources whose functions those of a package of ours may inline."""
    digest = hashlib.sha256()
    inlined = {"npu"} if package in ("npu", "kernels") else {"npu", "compiler"}
    for name in sorted({package} | inlined):
        for path in _sources(Path(__file__).parent.parent / name):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def _sources(package: Path) -> list[Path]:
    """The modules of a package, without the plain rooms; wherever the package lies."""
    found = sorted(package.rglob("*.py"))
    return [path for path in found if path.relative_to(package).parts[0] not in PLAIN_ROOMS]


FINGERPRINT = _fingerprint("npu")


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` with numba, free of the global lock, cached on disk where possible."""
    package = function.__module__.partition(".")[0]
    function.__qualname__ = f"{function.__qualname__}_{_fingerprint(package)}"
    compiled: Any = _njit(**_OPTIONS)(function)
    place = _place()
    if place is not None and hasattr(compiled, "enable_caching"):
        before, _CONFIG.CACHE_DIR = _CONFIG.CACHE_DIR, str(place)
        try:
            compiled.enable_caching()
        except (OSError, RuntimeError):
            _note_once()
            return compiled
        finally:
            _CONFIG.CACHE_DIR = before
        kept = compiled._cache
        kept._cache_file = _Sealed(
            kept.cache_path, kept._impl.filename_base, kept._impl.locator.get_source_stamp()
        )
    return compiled


class _WithoutCollection(event.Listener):
    """Python's search for cycles rests while numba compiles: it takes a fifth of that time."""

    def __init__(self) -> None:
        self._depth = 0
        self._resumes = False

    def on_start(self, event: Any) -> None:
        if not self._depth:
            self._resumes = gc.isenabled()
            gc.disable()
        self._depth += 1

    def on_end(self, event: Any) -> None:
        self._depth -= 1
        if not self._depth and self._resumes:
            gc.enable()


event.register("numba:compile", _WithoutCollection())


def inner_kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` as a part of kernels and cache it with them: that costs less.

    Called from Python it is interpreted.
    """
    return function if _CONFIG.DISABLE_JIT else InnerKernel(function, _OPTIONS)


def interpreted(compiled: Any) -> Callable[..., Any]:
    """The Python function behind a kernel; the kernel itself where numba's compiler is off."""
    return getattr(compiled, "py_func", compiled)


@remembered
def _note_once() -> None:
    cache.note("machine code cannot be kept: it is made anew in every run")


@remembered
def _place() -> Path | None:
    """The folder for this state of the sources; $NUMBA_CACHE_DIR where that is set."""
    if _CONFIG.CACHE_DIR:
        return Path(_CONFIG.CACHE_DIR)
    base = cache.folder("numba")
    if base is None:
        return None
    place = base / FINGERPRINT
    with suppress(OSError):
        place.mkdir(mode=cache.PRIVATE, exist_ok=True)
        os.utime(place)
        cache.remove_stale(base, "*", cache.UNUSED_SECONDS)
    return place


class _Sealed(IndexDataCacheFile):
    """Numba's files with a digest in front. What does not match is deleted and made again."""

    def save(self, key: Any, data: Any) -> None:
        # A cache that cannot be written is none, and no reason to stop.
        with suppress(OSError):
            super().save(key, data)

    def _load_index(self) -> dict:
        raw = self._read(self._index_path)
        if raw is None:
            return {}
        version, stamp, overloads = pickle.loads(raw)
        return overloads if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: dict) -> None:
        self._write(self._index_path, dumps((self._version, self._source_stamp, overloads)))

    def _load_data(self, name: str) -> Any:
        raw = self._read(self._data_path(name))
        if raw is None:
            raise FileNotFoundError(name)  # which numba takes for a removed file
        return pickle.loads(raw)

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), self._dump(data))

    def _read(self, path: str) -> bytes | None:
        try:
            raw = Path(path).read_bytes()
        except OSError:
            return None
        digest, data = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
        if cache.seal(data) == digest:
            return data
        with suppress(OSError):
            os.unlink(path)
        return None

    def _write(self, path: str, data: bytes) -> None:
        with self._open_for_write(path) as file:
            file.write(cache.seal(data) + data)
