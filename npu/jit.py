"""Compilation of numeric loops with numba, with a cache on disk that cannot go stale.

Numba's cache notices a change in the file of the compiled function, but not in the files of the
functions that it inlines. The cache entry is therefore named after a digest of every source of the
package `npu`, where all functions live that others inline.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit


def _fingerprint() -> str:
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        if "cli" not in path.parts and "zoo" not in path.parts:
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


FINGERPRINT = _fingerprint()


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` with numba, free of the global lock, cached on disk."""
    function.__qualname__ = f"{function.__qualname__}_{FINGERPRINT}"
    return njit(cache=True, nogil=True)(function)


def interpreted(compiled: Any) -> Callable[..., Any]:
    """The Python function behind a kernel; the kernel itself where numba's compiler is off."""
    return getattr(compiled, "py_func", compiled)
