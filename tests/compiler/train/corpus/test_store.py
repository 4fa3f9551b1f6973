"""What is written is read."""

import numpy as np
import pytest

from compiler.train.corpus.clip import Clip
from compiler.train.corpus.store import Part, has_shard, write_shard


def clip(n) -> Clip:
    samples = np.random.default_rng(n).integers(-32768, 32768, 1000 + n, np.int16)
    return Clip(samples, f"word{n}", "flite", "kal", ((0.01, 0.0312),))


def test_a_part_has_the_clips_of_its_shards(tmp_path):
    made = [clip(n) for n in range(7)]
    write_shard(tmp_path, "train", 1, made[4:])
    write_shard(tmp_path, "train", 0, made[:4])
    write_shard(tmp_path, "test", 0, [clip(50)])
    part = Part(tmp_path, "train")
    assert len(part) == 7
    for was, read in zip(made, part, strict=True):
        assert np.array_equal(was.samples, read.samples)
        assert read.samples.dtype == np.int16
        assert (was.text, was.engine, was.speaker, was.words) == (
            read.text, read.engine, read.speaker, read.words,
        )  # fmt: skip
    assert part.seconds == pytest.approx((7 * 1000 + 21) / 16_000)
    with pytest.raises(IndexError):
        part[7]


def test_samples_without_lines_are_no_shard(tmp_path):
    write_shard(tmp_path, "train", 0, [clip(0)])
    assert has_shard(tmp_path, "train", 0)
    (tmp_path / "train-000.jsonl").unlink()
    assert not has_shard(tmp_path, "train", 0)
    assert len(Part(tmp_path, "train")) == 0


def test_a_shard_may_be_empty(tmp_path):
    write_shard(tmp_path, "train", 0, [])
    assert has_shard(tmp_path, "train", 0)
    assert list(Part(tmp_path, "train")) == []
