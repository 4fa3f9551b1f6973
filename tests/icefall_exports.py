"""Transducers that icefall's own exports wrote, as `tests/vectors/float` has them."""

import lzma
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import soundfile

from npu.zoo import path as zoo_path


def unpacked(folder: Path, place: Path) -> Path:
    """The files of a folder in a new one, as icefall leaves them."""
    place.mkdir()
    for path in folder.iterdir():
        data = path.read_bytes()
        packed = path.suffix == ".xz"
        (place / path.name.removesuffix(".xz")).write_bytes(
            lzma.decompress(data) if packed else data
        )
    return place


def speech() -> np.ndarray:
    """(samples,) float64 at 16 kHz: the zoo's utterances, one behind the other."""
    utterances = zoo_path("commands_rnnt") / "utterances"
    return np.concatenate([soundfile.read(path)[0] for path in sorted(utterances.glob("*.wav"))])


def answers(encoder: Path, calls: Iterable[np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """What onnxruntime makes of an encoder: all outputs of each call, states carried."""
    import onnxruntime as ort

    session = ort.InferenceSession(encoder, providers=["CPUExecutionProvider"])
    kinds = {"tensor(float)": np.float32, "tensor(int64)": np.int64}
    states = {
        each.name: np.zeros([n if isinstance(n, int) else 1 for n in each.shape], kinds[each.type])
        for each in session.get_inputs()[1:]
    }
    names = [each.name for each in session.get_outputs()]
    for x in calls:
        answer = dict(zip(names, session.run(names, {"x": x} | states), strict=True))
        states = {name: answer[f"new_{name}"] for name in states}
        yield answer
