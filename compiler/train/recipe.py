"""A recipe for training: a TOML file, checked key by key."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from compiler.train.corpus.grammar import Grammar
from npu.errors import RecipeError
from npu.files import read_text

MAX_BYTES = 1 << 20

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=60)]
Count = Annotated[int, Field(ge=1)]
Steps = Annotated[int, Field(ge=0)]
Side = Literal["train", "develop", "test"]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _rising(name: str, pair: tuple[float, float]) -> None:
    if pair[0] > pair[1]:
        raise ValueError(f"{name} must not fall, not [{pair[0]:g}, {pair[1]:g}]")


class Shares(_Table):
    """Of what is held out, by its hash."""

    develop: Share
    test: Share


class Corpus(_Table):
    """How many clips, of which sentences, and how they are put together."""

    clips: Count
    develop: Count
    test: Count
    spliced: Share
    spliced_gap_s: tuple[Seconds, Seconds]
    other_voice: Share
    word_level_db: tuple[float, float]
    lead_s: tuple[Seconds, Seconds]
    tail_s: tuple[Seconds, Seconds]
    longest_s: Positive
    start: Annotated[list[str], Field(min_length=1)]
    shares: Shares


class Voices(_Table):
    """What an engine says."""

    engine: Literal["espeak", "flite", "festival"]
    share: Positive
    pace: tuple[Positive, Positive]
    pitch: tuple[Positive, Positive]

    @model_validator(mode="after")
    def _rise(self) -> "Voices":
        _rising("pace", self.pace)
        _rising("pitch", self.pitch)
        return self


class Change(_Table):
    """A factor that is drawn, with a chance."""

    chance: Share
    range: tuple[Positive, Positive]


class Equaliser(_Table):
    """A slope over the spectrum, and bumps in it."""

    chance: Share
    tilt_db: float
    bumps: Annotated[int, Field(ge=0, le=10)]
    bump_db: float


class Reverberation(_Table):
    """A room's."""

    chance: Share
    t60_s: tuple[Positive, Positive]


class Noise(_Table):
    """Coloured noise; in shares of the cases babble, music or impulses instead."""

    chance: Share
    snr_db: tuple[float, float]
    babble: Share
    music: Share
    impulses: Share


class Masks(_Table):
    """SpecAugment: so many bands and stretches, each of at most so many bins and model steps."""

    bands: Steps
    bins: Steps
    stretches: Steps
    frames: Steps


class Sound(_Table):
    """What is done to clips each time that they are heard."""

    ramp_steps: tuple[Steps, Steps]
    rate: Change
    vocal_tract: Change
    stretch: Change
    equaliser: Equaliser
    telephone: Share
    low_pass: Share
    reverberation: Reverberation
    noise: Noise
    clipping: Share
    mu_law: Share
    level_dbfs: tuple[float, float]
    masks: Masks


class Network(_Table):
    """Encoder of LSTM layers with a stack of two steps, predictor, joiner."""

    layers: Annotated[list[Count], Field(min_length=1)]
    stack_before: Count
    joint: Count
    predictor: Literal["lstm", "stateless"]
    embedding: Count
    units: Count
    dropout: Share

    @model_validator(mode="after")
    def _stack_is_there(self) -> "Network":
        if self.stack_before >= len(self.layers):
            raise ValueError(
                f"stack_before must be a layer's number, 1 to {len(self.layers) - 1}, not "
                f"{self.stack_before}"
            )
        return self


class Learning(_Table):
    """AdamW with a warm-up and a cosine, and the losses."""

    steps: Count
    batch: Count
    rate: Positive
    warm_up: Steps
    clip: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    ctc: tuple[float, float]
    window_s: tuple[float, float]
    average: Count
    checkpoint_s: Positive


class Pruning(_Table):
    """Zeros, and when they come: a cubic schedule from `begin` to `end`."""

    zeros: Annotated[float, Field(ge=0, lt=1)]
    method: Literal["magnitude", "l1", "n_of_m"]
    scope: Literal["tensor", "global"]
    begin: Steps
    end: Steps


class Quantisation(_Table):
    """The weights' grid, from when on, and how much the backward pass draws weights to it."""

    bits: Annotated[int, Field(ge=2, le=8)]
    begin: Steps
    regulariser: Annotated[float, Field(ge=0)]


class Recipe(_Table):
    """All of it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    seed: Annotated[int, Field(ge=0, lt=1 << 31)]
    corpus: Corpus
    voices: Annotated[list[Voices], Field(min_length=1)]
    speakers: dict[str, Side] = {}
    sound: Sound
    network: Network
    learning: Learning
    pruning: Pruning
    quantisation: Quantisation
    grammar: dict[str, list[str]]


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises
    ------
    RecipeError
        The file is missing, no TOML, or has a wrong key or value: each is named with its place.
    """
    if not path.is_file():
        raise RecipeError(f"{path}: no such file; give a recipe (a TOML file)")
    try:
        table = tomllib.loads(read_text(path, MAX_BYTES, RecipeError))
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"{path}: is no TOML ({error}); mend it there") from error
    try:
        recipe = Recipe.model_validate(table)
    except ValidationError as error:
        told = [
            f"{'.'.join(map(str, each['loc'])) or 'recipe'}: "
            f"{each['msg'].removeprefix('Value error, ')}, not {each['input']!r}"[:200]
            for each in error.errors()
        ]
        raise RecipeError(f"{path}: {'; '.join(told)}") from error
    grammar = Grammar(recipe.grammar)
    for name in recipe.corpus.start:
        if name not in recipe.grammar:
            raise RecipeError(f"{path}: corpus.start: there is no rule {name!r} in the grammar")
    del grammar
    return recipe
