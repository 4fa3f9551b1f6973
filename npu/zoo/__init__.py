"""Trained models that ship with the simulator, each a folder with its provenance.

A transducer is a folder of `encoder`, `decoder` and `joiner`, `tokens.txt` and `model.json`, with
recorded utterances beside them.
"""

from pathlib import Path

from npu.errors import ModelError

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


def utterances(name: str) -> list[Path]:
    """The sounds that a model ships with, sorted; none for what is no model of the zoo."""
    return sorted((_FOLDER / name / "utterances").glob("*.wav")) if name in names() else []


def utterance_set(name: str) -> Path:
    """The set of the sounds that a model ships with, with their texts, for `npu evaluate`.

    Raises ModelError if there is no such model.
    """
    return path(name) / "utterances" / "set.jsonl"
