"""A corpus on disk: shards of samples, and a line for each clip.

`PART-NNN.npy` has the samples of its clips one behind the other, int16 at RATE_HZ;
`PART-NNN.jsonl` a line for each, with its text, speaker, words' times, and where its samples are.
"""

import io
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from compiler.train.corpus.clip import Clip
from compiler.train.corpus.engines.speech import RATE_HZ
from npu.files import write_atomic


def write_shard(folder: Path, part: str, number: int, clips: Sequence[Clip]) -> None:
    """Write a shard; the lines last, so that a shard with lines is whole."""
    samples = io.BytesIO()
    # Even where every clip was too long there is a shard, or it would be made again and again.
    np.save(samples, np.concatenate([np.zeros(0, np.int16), *(clip.samples for clip in clips)]))
    write_atomic(folder / f"{part}-{number:03}.npy", samples.getvalue())
    lines, begin = [], 0
    for clip in clips:
        line = {
            "text": clip.text,
            "kind": clip.kind,
            "engine": clip.engine,
            "speaker": clip.speaker,
            "begin": begin,
            "samples": len(clip.samples),
            "words": [[round(a, 4), round(b, 4)] for a, b in clip.words],
        }
        begin += len(clip.samples)
        lines.append(json.dumps(line) + "\n")
    write_atomic(folder / f"{part}-{number:03}.jsonl", "".join(lines).encode())


def has_shard(folder: Path, part: str, number: int) -> bool:
    """Whether it is there, whole."""
    return (folder / f"{part}-{number:03}.jsonl").is_file()


class Part:
    """The clips of one part of a corpus; samples stay on disk until they are asked for.

    Parameters
    ----------
    folder, part : where the shards are, and of which part.

    Attributes
    ----------
    lengths : (clips,) int64, samples of each.
    """

    def __init__(self, folder: Path, part: str) -> None:
        self._clips: list[tuple[Path, dict]] = []
        for lines in sorted(folder.glob(f"{part}-*.jsonl")):
            shard = lines.with_suffix(".npy")
            with lines.open(encoding="utf-8") as file:
                self._clips += [(shard, json.loads(line)) for line in file]
        self.lengths = np.array([line["samples"] for _, line in self._clips], np.int64)

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, number: int) -> Clip:
        shard, line = self._clips[number]
        samples = _samples(shard)[line["begin"] : line["begin"] + line["samples"]]
        words = tuple((a, b) for a, b in line["words"])
        return Clip(samples, line["text"], line["engine"], line["speaker"], words, line["kind"])

    def __iter__(self) -> Iterator[Clip]:
        return (self[number] for number in range(len(self)))

    def about(self) -> Iterator[tuple[str, str, int]]:
        """Kind, speaker, and how many words, of each clip."""
        return ((line["kind"], line["speaker"], len(line["words"])) for _, line in self._clips)

    @property
    def seconds(self) -> float:
        """Of all clips together."""
        return int(self.lengths.sum()) / RATE_HZ


@lru_cache(maxsize=1024)
def _samples(shard: Path) -> np.ndarray:
    return np.load(shard, mmap_mode="r")
