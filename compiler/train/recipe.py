"""A recipe for training: a TOML file, checked key by key."""

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from compiler.train.corpus.grammar import Grammar
from compiler.train.tables import Count, Factor, Positive, Seconds, Seed, Share, Steps, Table
from npu.errors import RecipeError
from npu.files import read_text, write_atomic

MAX_BYTES = 1 << 20

Side = Literal["train", "develop", "test"]


CORPUS_KEYS = ("corpus", "voices", "speakers", "names", "foreign", "grammar")
"""What a corpus is made of."""
_Kind = TypeVar("_Kind", bound=BaseModel)


class Shares(Table):
    """Of what is held out, by its hash."""

    develop: Share
    test: Share

    @model_validator(mode="after")
    def _some_is_left(self) -> "Shares":
        if self.develop + self.test >= 1:
            raise ValueError(
                f"develop and test must leave something to train with, not {self.develop:g} and "
                f"{self.test:g}"
            )
        return self


class Corpus(Table):
    """How many clips, of which sentences, and how they are put together.

    `start`: the grammar's rules of whole sentences. `apart`: those that are tested by themselves.
    """

    seed: Seed
    clips: Count
    develop: Count
    test: Count
    noise_s: Steps
    spliced: Share
    spliced_gap_s: tuple[Seconds, Seconds]
    other_voice: Share
    word_level_db: tuple[float, float]
    lead_s: tuple[Seconds, Seconds]
    tail_s: tuple[Seconds, Seconds]
    longest_s: Seconds
    start: Annotated[list[str], Field(min_length=1)]
    apart: list[str] = Field(default_factory=list)
    shares: Shares


class Names(Table):
    """What `<name>` is in the grammar: so many of the most frequent, each on one side alone."""

    surnames: Steps
    women: Steps
    men: Steps


class Foreign(Table):
    """Clips of other languages, in which nothing is to be heard; eSpeak NG speaks them."""

    share: Share
    train: Annotated[list[str], Field(min_length=1)]
    test: Annotated[list[str], Field(min_length=1)]

    @model_validator(mode="after")
    def _apart(self) -> "Foreign":
        if both := sorted(set(self.train) & set(self.test)):
            raise ValueError(f"{both[0]!r} may not be on both sides")
        return self


class Voices(Table):
    """What an engine says; one of the side "test" is left out of training, to be measured with."""

    engine: Literal["espeak", "flite", "festival", "rhvoice", "piper", "hibari"]
    share: Positive
    pace: tuple[Factor, Factor]
    pitch: tuple[Factor, Factor]
    side: Literal["test"] | None = None


class Change(Table):
    """A factor that is drawn, with a chance."""

    chance: Share
    range: tuple[Factor, Factor]


class Equaliser(Table):
    """A slope over the spectrum, and bumps in it."""

    chance: Share
    tilt_db: float
    bumps: Annotated[int, Field(ge=0, le=10)]
    bump_db: float


class Reverberation(Table):
    """A room's."""

    chance: Share
    t60_s: tuple[Seconds, Seconds]


class Noise(Table):
    """Coloured noise; in shares of the cases babble, music or impulses instead."""

    chance: Share
    snr_db: tuple[float, float]
    babble: Share
    music: Share
    impulses: Share


class Masks(Table):
    """SpecAugment: so many bands and stretches, each of at most so many bins and model steps."""

    bands: Steps
    bins: Steps
    stretches: Steps
    frames: Steps


class Respliced(Table):
    """Strings of words that are cut out of clips of some kinds (rules of the grammar); `joined`:
    share of the words that follow at once, others after one of `corpus.spliced_gap_s`.
    """

    chance: Share
    joined: Share
    kinds: Annotated[list[str], Field(min_length=1)]


class Ended(Table):
    """`</s>` behind the last word, to be emitted within `window_s` of its end.

    `hesitant_window_s`: that of a clip of one word, of `hesitant_kinds` (rules of the grammar), or
    with `hesitant_s` between two of its words: more may come. `tail_s`: silence behind the clip.
    In the share `paused` a pause of `pause_s` comes between some two words, which is no end.
    `handicap`: nats taken from its logit when the model is written. `silence_s`: of model.json.
    """

    window_s: tuple[Seconds, Seconds]
    hesitant_window_s: tuple[Seconds, Seconds]
    hesitant_s: Seconds
    hesitant_kinds: list[str] | None = None
    silence_s: Seconds | None = None
    tail_s: tuple[Seconds, Seconds]
    paused: Share
    pause_s: tuple[Seconds, Seconds]
    handicap: Annotated[float, Field(ge=-10, le=10)] = 0.0


class Sound(Table):
    """What is done to clips each time that they are heard. `untouched`: all but the level is left;
    `nothing`: noise is in their place; `respliced`: words of other clips are; `ended`: the model
    learns to tell their end.
    """

    ramp_steps: tuple[Steps, Steps]
    untouched: Share
    nothing: Share
    respliced: Respliced | None = None
    ended: Ended | None = None
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


class Network(Table):
    """Encoder of LSTM layers with a stack of two steps, predictor, joiner.

    `forget`: of the symbols that the predictor is told in training, it is not told. `mistaken`: of
    the spaces it is told ends instead, as if one had been found too early: it learns to go on.
    `reluctant`: nats that the blank gets in training while no symbol has come: it learns to begin
    in spite of them, and without them misses fewer beginnings.
    """

    layers: Annotated[list[Count], Field(min_length=1)]
    stack_before: Count
    joint: Count
    predictor: Literal["lstm", "stateless"]
    embedding: Count
    units: Count
    dropout: Share
    forget: Share
    mistaken: Share | None = None
    reluctant: Annotated[float, Field(ge=-10, le=10)] | None = None

    @model_validator(mode="after")
    def _stack_is_there(self) -> "Network":
        if self.stack_before >= len(self.layers):
            raise ValueError(
                f"stack_before must be a layer's number, 1 to {len(self.layers) - 1}, not "
                f"{self.stack_before}"
            )
        return self


class Learning(Table):
    """The optimiser with a warm-up and a cosine, and the losses."""

    steps: Count
    batch: Count
    together: Count
    precision: Literal["float32", "bfloat16"]
    optimiser: Literal["adamw", "muon"]
    rate: Positive
    warm_up: Steps
    clip: Positive
    weight_decay: Annotated[float, Field(ge=0)]
    ctc: tuple[float, float]
    window_s: tuple[float, float]
    average: Count
    checkpoint_s: Positive
    check: Count


class Pruning(Table):
    """Zeros, and when they come: a cubic schedule from `begin` to `end`.

    `method`: "magnitude", the smallest; "l1", the same, and meanwhile each step draws weights to
    zero, by up to `pull` times its rate; "n-of-m", in each `group` of weights as many.
    """

    zeros: Annotated[float, Field(ge=0, lt=1)]
    method: Literal["magnitude", "l1", "n-of-m"]
    pull: Positive | None = None
    group: Annotated[int, Field(ge=2, le=1024)] | None = None
    scope: Literal["tensor", "global"]
    begin: Steps
    end: Steps

    @model_validator(mode="after")
    def _method_has_its_own(self) -> "Pruning":
        for key, method in (("pull", "l1"), ("group", "n-of-m")):
            given = getattr(self, key) is not None
            if given != (self.method == method):
                raise ValueError(
                    f"{key} belongs to method = {method!r}; {'take it out' if given else 'give it'}"
                )
        if self.method == "n-of-m" and self.scope == "global":
            raise ValueError("method = 'n-of-m' needs scope = 'tensor'")
        return self


class Quantisation(Table):
    """The weights' grid, from when on, and how much the backward pass draws weights to it.

    `forward`: what a code book's weights are in the forward pass, "grid" (the default: straight
    through) or "int8", and on the grid only at the end. `snap`: steps from one hard snapping of
    the weights to the grid to the next.
    """

    bits: Annotated[int, Field(ge=2, le=8)]
    begin: Steps
    regulariser: Annotated[float, Field(ge=0)]
    forward: Literal["grid", "int8"] | None = None
    snap: Count | None = None


class Recipe(Table):
    """All of it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    seed: Seed
    corpus: Corpus
    voices: Annotated[list[Voices], Field(min_length=1)]
    speakers: dict[str, Side] = Field(default_factory=dict)
    names: Names | None = None
    foreign: Foreign | None = None
    sound: Sound
    network: Network
    learning: Learning
    pruning: Pruning
    quantisation: Quantisation
    grammar: dict[str, list[str]]

    @model_validator(mode="after")
    def _somebody_speaks_foreign(self) -> "Recipe":
        if self.foreign and not (self.names and any(v.engine == "espeak" for v in self.voices)):
            raise ValueError("foreign speech needs [names], and voices of espeak")
        return self

    @model_validator(mode="after")
    def _left_out_is_not_learnt(self) -> "Recipe":
        learnt = {entry.engine for entry in self.voices if entry.side is None}
        for entry in self.voices:
            if entry.side is not None and entry.engine in learnt:
                raise ValueError(
                    f"voices: {entry.engine!r} is left out (side = {entry.side!r}) and trained "
                    "with too; keep one of the two"
                )
        return self

    def rules(self, names: Sequence[str] = ("name",)) -> dict[str, Sequence[str]]:
        """Of the grammar, with the names of a side for `<name>`."""
        return self.grammar | ({"name": names} if self.names else {})


def require_same(file: Path, text: str, what: str) -> None:
    """Note in a folder's file what its contents are made from.

    Raises RecipeError if it says something else: the folder has `what` of another recipe.
    """
    if file.is_file() and file.read_text(encoding="utf-8") != text:
        raise RecipeError(f"{file.parent}: has {what} of another recipe; give another folder")
    write_atomic(file, text.encode())


def shipped() -> dict[str, Path]:
    """The recipes here, by name."""
    return {path.stem: path for path in sorted((Path(__file__).parent / "recipes").glob("*.toml"))}


def read_toml(path: Path) -> str:
    """A TOML file, as JSON. Raises RecipeError for what is none."""
    try:
        table = tomllib.loads(read_text(path, MAX_BYTES, RecipeError))
        # As JSON, whose lists may be tuples; a date of TOML becomes a text. Both have no end of
        # digits or brackets.
        return json.dumps(table, default=str)
    except (ValueError, RecursionError) as error:
        raise RecipeError(f"{path}: is no TOML ({error}); mend it there") from error


def validated(kind: type[_Kind], text: str, where: object) -> _Kind:
    """JSON as a model of a kind. Raises RecipeError that tells every wrong key, and `where`."""
    try:
        return kind.model_validate_json(text)
    except ValidationError as error:
        wrong = "; ".join(_told(each) for each in error.errors())
        raise RecipeError(f"{where}: {wrong}") from error


def load_recipe(path: Path) -> Recipe:
    """Read a recipe.

    Raises
    ------
    RecipeError
        The file is missing, no TOML, or has a wrong key or value: each is named with its place.
    """
    if not path.is_file():
        raise RecipeError(
            f"{path}: no such file; give a recipe (a TOML file), or one that is shipped: "
            f"{', '.join(shipped())}"
        )
    recipe = validated(Recipe, read_toml(path), path)
    try:
        Grammar(recipe.rules())
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error
    kinds = {"corpus.start": recipe.corpus.start, "corpus.apart": recipe.corpus.apart}
    if recipe.sound.respliced:
        kinds["sound.respliced.kinds"] = recipe.sound.respliced.kinds
    for key, names in kinds.items():
        for name in names:
            if name not in recipe.grammar:
                raise RecipeError(f"{path}: {key}: there is no rule {name!r} in the grammar")
    return recipe


def _told(error: ErrorDetails) -> str:
    place = ".".join(map(str, error["loc"])) or "recipe"
    # A key may be any text.
    place = place if place.isprintable() else repr(place)
    match error["type"]:
        case "missing":
            return f"{place[:200]}: is missing; give it"
        case "extra_forbidden":
            return f"{place[:200]}: there is no such key; take it out"
        case "value_error":
            return f"{place[:200]}: {error['msg'].removeprefix('Value error, ')}"
    return f"{place[:200]}: {error['msg']}, not {error['input']!r}"[:400]
