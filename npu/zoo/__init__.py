"""Trained models that ship with the simulator, each a folder with its provenance.

A transducer is a folder of `encoder`, `decoder` and `joiner`, `tokens.txt` and `model.json`. Beside
them lie recorded utterances, `figures.json` with what was measured (`npu.analysis.model_figures`),
and, of a model whose model.json does not say where it is from, `provenance.json`
(`npu.zoo.provenance`).
"""

from pathlib import Path

from npu.errors import ModelError

DEFAULT = "commands_rnnt"
"""What commands take where nobody names a model."""

MOST_BYTES = 8_000_000
"""Of all models together; those that are larger come by recipe."""

_FOLDER = Path(__file__).parent


def names() -> list[str]:
    """The models here, sorted."""
    return sorted(p.name for p in _FOLDER.iterdir() if (p / "model.json").is_file())


def path(name: str) -> Path:
    """The folder of a model.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    if name not in names():
        raise ModelError(f"the zoo has no model {name!r}; it has: {', '.join(names())}")
    return _FOLDER / name


def files(name: str) -> list[Path]:
    """All files of a model, sorted. Raises ModelError if there is no such model."""
    return sorted(each for each in path(name).rglob("*") if each.is_file())


def total_bytes() -> int:
    """Of the files of all models."""
    return sum(file.stat().st_size for name in names() for file in files(name))


def shown_place(name: str) -> str:
    """Where a model lies, seen from the folder that holds the package.

    Raises ModelError if there is no such model.
    """
    return (Path("npu") / "zoo" / path(name).name).as_posix()


def utterances(name: str) -> list[Path]:
    """The sounds that a model ships with, sorted; none for what is no model of the zoo."""
    return sorted((_FOLDER / name / "utterances").glob("*.wav")) if name in names() else []


def utterance_set(name: str) -> Path:
    """The set of the sounds that a model ships with, with their texts, for `npu evaluate`.

    Raises ModelError if there is no such model.
    """
    return path(name) / "utterances" / "set.jsonl"
