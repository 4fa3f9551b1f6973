"""A language of six words that are tones: it is learnt in seconds, by the same code as speech."""

from pathlib import Path

import numpy as np

from compiler.train.corpus.clip import Clip
from compiler.train.corpus.store import write_shard
from compiler.train.recipe import Recipe, load_recipe
from compiler.train.sound.batches import Listener
from compiler.train.sound.features import RATE_HZ, log_mel
from tests.conftest import ROOT

WORDS = {"ab": 300, "cd": 500, "ef": 800, "gh": 1300, "ij": 2100, "kl": 3400}
STEPS = 320


def recipe(**changes) -> Recipe:
    """The shipped recipe, small; `changes` to its tables."""
    whole = load_recipe(ROOT / "compiler" / "train" / "recipes" / "commands.toml")
    tables = {
        "learning": {
            "steps": STEPS,
            "batch": 24,
            "together": 1,
            "check": 160,
            "warm_up": 20,
            "rate": 2e-2,
            "average": 2,
            "ctc": (1.0, 0.5),
        },
        "network": {
            "layers": [64, 64],
            "stack_before": 1,
            "joint": 96,
            "embedding": 8,
            "units": 96,
            "dropout": 0.0,
            "forget": 0.0,
        },
        "sound": {
            "untouched": 0.0,
            "nothing": 0.02,
            "respliced": None,
            "ramp_steps": (260, 4000),
            "level_dbfs": (-12.0, -6.0),
        },
        "pruning": {"zeros": 0.5, "begin": 150, "end": 210},
        "quantisation": {"begin": 260},
    }
    for name, values in changes.items():
        tables[name] = {**tables.get(name, {}), **values}
    return whole.model_copy(
        update={"seed": 20261127}
        | {name: getattr(whole, name).model_copy(update=values) for name, values in tables.items()}
    )


def clip(rng: np.random.Generator) -> Clip:
    """One to three words, each a tone of 0.2 to 0.3 s with an octave above."""
    words = list(rng.choice(list(WORDS), rng.integers(1, 4)))
    pieces, times, at = [np.zeros(3200)], [], 0.2
    for word in words:
        length = float(rng.uniform(0.2, 0.3))
        time = np.arange(round(length * RATE_HZ)) / RATE_HZ
        tone = np.sin(2 * np.pi * WORDS[word] * time) + 0.5 * np.sin(4 * np.pi * WORDS[word] * time)
        pieces += [tone, np.zeros(800)]
        times.append((at, at + length))
        at += len(time) / RATE_HZ + 0.05
    pieces.append(np.zeros(4800))
    samples = np.concatenate(pieces) * 8000 + rng.normal(0, 10, sum(map(len, pieces)))
    return Clip(samples.astype(np.int16), " ".join(words), "tones", "tones", tuple(times))


def listener(folder: Path, made: Recipe, clips: int = 200) -> Listener:
    """Hears a corpus of tones, which is made in the folder."""
    rng = np.random.default_rng(5)
    said = [clip(rng) for _ in range(clips)]
    for part in ("train", "test"):
        write_shard(folder, part, 0, said if part == "train" else [clip(rng) for _ in range(40)])
    features = np.concatenate([log_mel(each.samples / np.float32(32768)) for each in said[:50]])
    mean, std = features.mean(0).tolist(), (features.std(0) + 0.5).tolist()
    return Listener(folder, "train", made, tuple(mean), tuple(std))
