"""What a model hears or sees, in the range that it was made for; one half to calibrate on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from npu.errors import NpuError
from reports.shipped.outside import opened

Array = np.ndarray
RATE = 16_000
SPEECH = Path(__file__).parents[2] / "npu" / "zoo" / "commands_rnnt" / "utterances"
CALIBRATION = ("astronaut.png", "coffee.png", "motorcycle_left.png", "page.png")
OTHERS = ("chelsea.png", "camera.png", "motorcycle_right.png", "text.png")
"""Of scikit-image's pictures; matplotlib's of a face stands with the others."""


@dataclass(frozen=True, eq=False)
class Half:
    """What one half of the data is made of.

    Attributes
    ----------
    sound : (samples,) float32 of 16 kHz, -1 to 1
    pictures : files
    beside : the folder of the model, whose neighbours may come before it
    """

    sound: Array
    pictures: Sequence[Path]
    seed: int
    beside: Path


def halves(path: Path, pictures: Path | None) -> tuple[Half, Half]:
    """What a model is calibrated on, and what it is measured on.

    pictures : the folder of scikit-image's, None where there is none
    """
    spoken = [soundfile.read(file, dtype="float32")[0] for file in sorted(SPEECH.glob("*.wav"))]
    found = []
    for number, names in enumerate((CALIBRATION, OTHERS)):
        own = np.concatenate(spoken[number::2])
        files = [pictures / name for name in names] if pictures is not None else []
        if number and files:
            files.append(_face())
        found.append(Half(own, files, 1 + number, path.parent))
    return found[0], found[1]


def _face() -> Path:
    import matplotlib

    return Path(matplotlib.get_data_path(), "sample_data", "grace_hopper.jpg")


Maker = Callable[[Half, tuple[int, ...], int], Array]
"""Of a half, the shape of an input and a number of calls: (calls, ...)."""


def _windows(sound: Array, length: int, hop: int, calls: int) -> Array:
    """Windows one behind the other where the sound is long enough, else spread over it."""
    room = len(sound) - length
    if room < 0:
        sound, room = np.pad(sound, (0, -room)), 0
    step = hop if hop * (calls - 1) <= room else room / max(calls - 1, 1)
    starts = [int(step * number) for number in range(calls)]
    return np.stack([sound[at : at + length] for at in starts])


def sound(hop: int, full_scale: float = 1.0) -> Maker:
    def make(half: Half, shape: tuple[int, ...], calls: int) -> Array:
        found = _windows(half.sound, int(np.prod(shape)), hop, calls)
        return (found * full_scale).reshape(calls, *shape).astype(np.float32)

    return make


def log_mel(bins: int, stacked: int = 1) -> Maker:
    """Frames of 25 ms every 10 ms, of mean 0 and deviation 1; bins lie along the axis that has
    them, or `stacked` frames side by side do."""

    def make(half: Half, shape: tuple[int, ...], calls: int) -> Array:
        wide = bins * stacked
        frames = _log_mel(half.sound, bins)
        count = int(np.prod(shape)) // bins
        found = _windows(frames, count, min(count, 10), calls)
        first = [n for n in shape if n > 1][:1] == [wide] and shape[-1] != wide
        if first:
            found = np.moveaxis(found, 1, 2)
        return found.reshape(calls, *shape).astype(np.float32)

    return make


def _log_mel(samples: Array, bins: int) -> Array:
    """(frames, bins) float64."""
    length, hop, size = 400, 160, 512
    frames = np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]
    power = np.abs(np.fft.rfft(frames * np.hanning(length), size)) ** 2
    edges = 700 * (np.exp(np.linspace(0, np.log1p(RATE / 2 / 700), bins + 2)) - 1)
    hertz = np.arange(size // 2 + 1) * RATE / size
    rise = (hertz - edges[:-2, None]) / np.maximum(np.diff(edges)[:-1, None], RATE / size)
    fall = (edges[2:, None] - hertz) / np.maximum(np.diff(edges)[1:, None], RATE / size)
    found = np.log(power @ np.maximum(0, np.minimum(rise, fall)).T + 1e-6)
    return np.asarray((found - found.mean()) / found.std())


_MEL_SAMPLES, _WAKE_HOP = 12_640, 1_280
"""That give openWakeWord's 76 frames, and from one embedding to the next."""


def _before(half: Half, stem: str) -> Path:
    for suffix in (".tflite", ".onnx"):
        path = half.beside / f"{stem}{suffix}"
        if path.exists():
            return path
    raise NpuError(f"{half.beside}: what comes before the model, {stem}, is not there")


def wake_mels(half: Half, shape: tuple[int, ...], calls: int) -> Array:
    """What openWakeWord makes of speech: its spectrogram / 10 + 2."""
    mel = opened(_before(half, "melspectrogram"))
    found = []
    for window in _windows(32768 * half.sound, _MEL_SAMPLES, _WAKE_HOP, calls):
        (spectrogram,) = mel.call({mel.inputs[0].name: window[None].astype(np.float32)}).values()
        found.append(np.asarray(spectrogram).reshape(shape) / 10 + 2)
    return np.stack(found).astype(np.float32)


def wake_embeddings(half: Half, shape: tuple[int, ...], calls: int) -> Array:
    """(1, frames, 96): embeddings of speech, one later in each call."""
    embedding = opened(_before(half, "embedding_model"))
    name, count = embedding.inputs[0].name, shape[1]
    rows = []
    for mel in wake_mels(half, (1, 76, 32, 1), calls + count - 1):
        (row,) = embedding.call({name: mel}).values()
        rows.append(np.asarray(row).reshape(-1))
    found = np.lib.stride_tricks.sliding_window_view(np.stack(rows), count, axis=0)
    return np.ascontiguousarray(np.moveaxis(found, 2, 1)).reshape(calls, *shape)


def picture(least: float, most: float, center: Sequence[float] = ()) -> Maker:
    """Squares out of photographs, black at `least`, white at `most`; or less a mean of each colour
    over its deviation, as ImageNet's models take them (`center`: means, then deviations)."""

    def make(half: Half, shape: tuple[int, ...], calls: int) -> Array:
        from PIL import Image

        if not half.pictures:
            raise NpuError("models of images see scikit-image's pictures: --download fetches them")
        rng = np.random.default_rng(half.seed)
        first = shape[1] in (1, 3)
        channels, height, width = shape[1:] if first else (shape[3], *shape[1:3])
        found = []
        for number in range(calls):
            with Image.open(half.pictures[number % len(half.pictures)]) as opened_picture:
                image = opened_picture.convert("RGB" if channels == 3 else "L")
            side = int(min(image.size) * rng.uniform(0.5, 1.0))
            left, top = (int(rng.integers(0, n - side + 1)) for n in image.size)
            cut = image.crop((left, top, left + side, top + side)).resize((width, height))
            pixels = np.asarray(cut, np.float32).reshape(height, width, channels) / 255
            if center:
                pixels = (pixels - np.array(center[:3])) / np.array(center[3:])
            else:
                pixels = least + (most - least) * pixels
            found.append(np.moveaxis(pixels, -1, 0) if first else pixels)
        return np.stack(found).reshape(calls, *shape).astype(np.float32)

    return make


IMAGENET = (0.485, 0.456, 0.406, 0.229, 0.224, 0.225)


def symbols(count: int) -> Maker:
    def make(half: Half, shape: tuple[int, ...], calls: int) -> Array:
        return np.random.default_rng(half.seed).integers(1, count, (calls, *shape))

    return make


def numbers(least: float, most: float) -> Maker:
    def make(half: Half, shape: tuple[int, ...], calls: int) -> Array:
        found = np.random.default_rng(half.seed).uniform(least, most, (calls, *shape))
        return found.astype(np.float32)

    return make


def same(value: float) -> Maker:
    return lambda half, shape, calls: np.full((calls, *shape), value)


def normal(half: Half, shape: tuple[int, ...], calls: int) -> Array:
    return np.random.default_rng(half.seed).normal(size=(calls, *shape)).astype(np.float32)


def source_text(half: Half, shape: tuple[int, ...], calls: int) -> Array:
    """Bytes of Python's own library."""
    import os

    text = np.frombuffer(Path(os.__file__).read_bytes(), np.uint8)
    middle = len(text) // 2
    own = text[:middle] if half.seed % 2 else text[middle:]
    return _windows(own, int(np.prod(shape)), 97, calls).reshape(calls, *shape).astype(np.int32)
