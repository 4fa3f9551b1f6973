"""What is calibrated on: arrays by the names of inputs, a call each."""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from compiler.floats.graph import Array
from npu.errors import ModelError

MAX_BYTES = 1 << 31
"""The most that a file of samples may hold."""


@dataclass(frozen=True, eq=False)
class Samples:
    """Calls of a model, one behind the other; states are carried from each to the next.

    Attributes
    ----------
    arrays : by name, (calls, ...) each
    place : what errors call them
    """

    arrays: Mapping[str, Array]
    place: str = "the calibration data"

    def __len__(self) -> int:
        return min((len(array) for array in self.arrays.values()), default=0)

    def first(self, count: int) -> "Samples":
        """The first calls, all where there are no more."""
        return Samples({name: array[:count] for name, array in self.arrays.items()}, self.place)

    def calls(self, names: Mapping[str, tuple[int, ...]]) -> Iterator[dict[str, Array]]:
        """The inputs of each call, in the shapes of the inputs `names`."""
        for index in range(len(self)):
            yield {
                name: np.asarray(self.arrays[name][index]).reshape(shape)
                for name, shape in names.items()
            }

    def scaled(self, inputs: Mapping[str, tuple[float, int]]) -> "Samples":
        """With the arrays of `inputs`, which are integers, as the reals that they stand for."""
        found = dict(self.arrays)
        for name, (scale, zero) in inputs.items():
            if name in found:
                whole = np.asarray(found[name]).astype(np.float32) - np.float32(zero)
                found[name] = whole * np.float32(scale)
        return Samples(found, self.place)

    def only(self, names: tuple[str, ...], model: str) -> "Samples":
        """The arrays of these inputs.

        Raises ModelError for one that is missing, has another number of calls, no call, values that
        are not finite, or none but 0.
        """
        found: dict[str, Array] = {}
        for name in names:
            if name not in self.arrays:
                have = ", ".join(sorted(self.arrays)) or "nothing"
                raise ModelError(
                    f"{model}: {self.place} has no array {name!r} (it has {have}); give one of "
                    "shape (calls, ...) for each input, under the input's name"
                )
            array = np.asarray(self.arrays[name])
            if array.ndim < 1 or array.size == 0:
                raise ModelError(f"{self.place}: array {name!r} has no calls: {array.shape}")
            if array.dtype.kind == "f" and not np.all(np.isfinite(array)):
                at = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
                raise ModelError(
                    f"{self.place}: array {name!r} has {array[tuple(at)]} at {at}; values must "
                    "be finite"
                )
            if array.dtype.kind == "f" and np.max(np.abs(array)) > np.finfo(np.float32).max:
                raise ModelError(
                    f"{self.place}: array {name!r} reaches {np.max(np.abs(array)):g}; values must "
                    "be finite in float32"
                )
            if array.dtype.kind not in "fiu":
                raise ModelError(
                    f"{self.place}: array {name!r} is of {array.dtype}, not of numbers"
                )
            if array.dtype.kind == "f" and not np.any(array):
                raise ModelError(
                    f"{self.place}: array {name!r} is 0 in all calls, which shows no range; give "
                    "data as it is in use, and none for an input that is a state"
                )
            found[name] = array
        counts = {name: len(array) for name, array in found.items()}
        if len(set(counts.values())) > 1:
            raise ModelError(f"{self.place}: arrays differ in their number of calls: {counts}")
        return Samples(found, self.place)


def load_samples(path: str | Path) -> Samples:
    """Read an `.npz` file. Raises ModelError for what is none, or holds objects."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ModelError(f"{path}: more than {MAX_BYTES >> 30} GiB; give fewer calls")
        # Opened here: numpy leaves a file open that is no archive.
        with path.open("rb") as raw:
            file = np.load(raw, allow_pickle=False)
            if not hasattr(file, "files"):
                raise ModelError(f"{path}: one array; give an .npz file with an array per input")
            arrays = {name: file[name] for name in file.files}
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (ValueError, EOFError, ImportError, BadZipFile, zlib.error) as error:
        text = str(error).splitlines()[0] if str(error) else type(error).__name__
        if "pickle" in text:
            text = "it is another file, or holds objects; save arrays of numbers with np.savez"
        raise ModelError(f"{path}: no .npz file of arrays: {text}") from error
    return Samples(arrays, path.name)
