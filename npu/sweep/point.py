"""A point of a sweep, and the names that its results are kept under.

A name is a digest of everything that decides the result: the bytes of the model, what is done to
its weights, the chip, and the sources of this program.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import npu
from npu.sweep.weights import Thinning

SUFFIXES = {".py", ".toml", ".json", ".csv"}
"""Of sources."""

DECIDE_IMAGE = ("compiler", "kernels", "npu/chip", "npu/model", "npu/runtime", "npu/speech")
DECIDE_POINT = (*DECIDE_IMAGE, "npu/twin", "npu/events", "npu/analysis", "npu/sweep")
"""The rooms whose sources decide about an image, and about a row."""


@dataclass(frozen=True, eq=False)
class Point:
    """One model on one chip.

    Attributes
    ----------
    model : a path, or the name of a model in the zoo. name : what it is called in the results.
    sources : of the model as it is, SHA-256 by file. signature : of a model that has several.
    chip : the values of a `ChipParams`, not checked yet.
    frames, symbols : as `npu.analysis.latency.latency_of` takes them.
    accuracy : of the model as it is, where the user knows it.
    """

    model: str
    name: str
    sources: Mapping[str, str]
    chip: Mapping[str, Any]
    thinning: Thinning
    frames: int
    symbols: int | None = None
    accuracy: float | None = None
    signature: str | None = None

    @property
    def key(self) -> str:
        """The name of the point's row."""
        return digest(
            sources_digest(DECIDE_POINT),
            self.weights_key,
            self.chip,
            self.frames,
            self.symbols,
        )

    @property
    def weights_key(self) -> str:
        """The name of the model with its weights as they are here."""
        thinning = self.thinning
        # Weights that stay as they are are the model's, however that was asked for.
        how = [thinning.sparsity, thinning.bits] if thinning.changes else None
        return digest(self.sources, self.signature, how)


def digest(*parts: Any) -> str:
    """SHA-256 of values that JSON can hold, in hexadecimal."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache
def sources_digest(rooms: Iterable[str]) -> str:
    """Of all sources in some folders of ours, and of the modules that lie beside them in `npu`."""
    root = Path(npu.__file__).parent.parent
    files = [path for path in (root / "npu").iterdir() if path.is_file()]
    for room in rooms:
        files += (root / room).rglob("*")
    found = hashlib.sha256()
    for path in sorted(path for path in files if path.suffix in SUFFIXES):
        name, data = path.relative_to(root).as_posix(), path.read_bytes()
        found.update(f"{name} {len(data)} ".encode() + data)
    return found.hexdigest()
