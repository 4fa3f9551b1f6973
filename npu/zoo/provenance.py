"""Where a model of the zoo is from: an outside source, or a recipe.

`npu train` writes it into the folder's model.json. A model that came from elsewhere stays as it
came: what is known of it stands in a `provenance.json` beside it.

    {"source": "...", "licence": "...", "sha256": {"encoder.tflite": "..."}}
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from npu.errors import ModelError
from npu.files import read_file, read_text
from npu.text import printable

FILE_NAME = "provenance.json"
MAX_BYTES = 1 << 20
_MOST_OF_A_FILE = 1 << 31

Text = Annotated[str, Field(min_length=1)]
Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _Told(BaseModel):
    # More may be told than what is asked for.
    model_config = ConfigDict(frozen=True, extra="allow", strict=True)


class Outside(_Told):
    """Made elsewhere: by whom, under which terms, and the files as they came, by name."""

    source: Text
    licence: Text
    sha256: Annotated[dict[str, Digest], Field(min_length=1)]


class Trained(_Told):
    """Made by `npu train`: the recipe's name, its seed, and zeroskip's version.

    recipe_sha256 : of the recipe (`compiler.train.summary.digest`), where it is known.
    """

    recipe: Text
    seed: Annotated[int, Field(ge=0)]
    version: Text
    recipe_sha256: Digest | None = None


@dataclass(frozen=True)
class Provenance:
    """Where a model is from.

    Attributes
    ----------
    fields : everything that is told, by name.
    origin : None where too little is told, and `problem` says what is missing.
    problem : also where files are not those that came; else None.
    """

    fields: dict[str, Any]
    origin: Outside | Trained | None
    problem: str | None

    @property
    def made(self) -> str:
        """How it was made, in a few words."""
        match self.origin:
            case Trained() as by:
                return f"npu train: recipe {by.recipe}, seed {by.seed}, zeroskip {by.version}"
            case Outside() as by:
                return f"outside: {by.source}; licence: {by.licence}"
        return "unknown"


def provenance(folder: Path, told: Any) -> Provenance:
    """Of the model in a folder; `told` is what its model.json says (any JSON).

    Raises ModelError for a provenance.json that is no JSON object.
    """
    fields = dict(told) if isinstance(told, dict) else {} if told is None else {"told": told}
    fields |= _beside(folder / FILE_NAME)
    kind = Trained if "recipe" in fields else Outside
    try:
        origin = kind.model_validate(fields)
    except ValidationError as error:
        keys = sorted({printable(".".join(map(str, each["loc"]))) for each in error.errors()})
        return Provenance(
            fields,
            None,
            f"of its provenance {', '.join(keys)} {'is' if len(keys) == 1 else 'are'} missing or "
            f"wrong; npu train writes recipe, seed and version into model.json, {FILE_NAME} holds "
            "source, licence and sha256 of what came from elsewhere",
        )
    return Provenance(fields, origin, _other_files(folder, origin))


def _beside(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        content = json.loads(read_text(file, MAX_BYTES, ModelError))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{file}: is not usable JSON: {error}; correct the file") from error
    if not isinstance(content, dict):
        raise ModelError(f"{file}: must hold a JSON object")
    return content


def _other_files(folder: Path, origin: Outside | Trained) -> str | None:
    """What is not as it came."""
    if isinstance(origin, Trained):
        return None
    changed = [name for name, digest in origin.sha256.items() if _digest(folder / name) != digest]
    if not changed:
        return None
    return f"{', '.join(map(printable, sorted(changed)))}: not as it came, by its SHA-256"


def _digest(file: Path) -> str | None:
    if not file.is_file():
        return None
    return hashlib.sha256(read_file(file, _MOST_OF_A_FILE, ModelError)).hexdigest()
