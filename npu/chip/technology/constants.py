"""The constants, with where they come from: `constants.toml`."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

FOLDER = Path(__file__).parent

_Text = Annotated[str, Field(min_length=8)]


class Sourced(BaseModel):
    """Where a figure comes from.

    Attributes
    ----------
    kind : a figure of a publication, points of a published model, or an assumption of ours.
    source, conditions : who says so, and of what.
    seen : what of the source was read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["published", "fitted", "assumption"]
    source: _Text
    conditions: _Text
    seen: _Text


class Constant(Sourced):
    """A number at a node and a supply voltage."""

    value: float = Field(gt=0)
    unit: Literal["pJ", "pJ/bit", "ratio", "gates", "um2"]
    node_nm: int = Field(ge=5, le=250)
    voltage: float = Field(gt=0, le=2)


def read_constants(text: str) -> Mapping[str, Constant]:
    """By name; pydantic's ValidationError for one that lacks something."""
    return TypeAdapter(dict[str, Constant]).validate_python(tomllib.loads(text))


CONSTANTS = read_constants((FOLDER / "constants.toml").read_text(encoding="utf-8"))
"""All of them, by name."""
