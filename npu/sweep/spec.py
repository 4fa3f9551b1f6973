"""What to sweep over: a TOML file with grids of a chip's parameters, models and their weights.

    models = ["commands_rnnt", "other.tflite"]     # names of the zoo, files seen from this one
    chip = "edge"                                  # what the grids do not say; or several of them
    frames = 4                                     # and symbols, as npu latency takes them

    [[grid]]                                       # every combination; further grids are added
    lanes = [8, 16, 32]
    bank_bytes = {from = 8192, to = 65536, times = 2}
    clock_mhz = {from = 100, to = 400, step = 100}
    sparsity = [0.75, 0.9]                         # pruned further
    bits = [8, 4]                                  # rounded further

A model may be a table, {model = "a.tflite", name = "a", accuracy = 0.93}; `signature` names one of
a file that has several.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from compiler import load_model, model_files
from npu import zoo
from npu.analysis.frames import DEFAULT_FRAMES
from npu.chip.params import ChipParams, load_params
from npu.chip.summary import flat
from npu.errors import NpuError, ParamsError
from npu.files import read_text
from npu.model.config import MAX_SYMBOLS_PER_FRAME
from npu.runtime.calls import MOST_CALLS
from npu.sweep.point import Point
from npu.sweep.weights import Thinning

MAX_TOML_BYTES = 1 << 20
MOST_POINTS = 100_000
WEIGHTS = ("sparsity", "bits")
"""Keys of a grid beside the parameters of a chip."""

_Value = int | float | str | bool


class _Checked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Range(_Checked):
    """Numbers from the first to the last one, one `step` behind the other or one `times` the other.

    One of the two is needed. The last one is there if it is met.
    """

    first: float = Field(alias="from")
    last: float = Field(alias="to")
    step: Annotated[float, Field(gt=0)] | None = None
    times: Annotated[float, Field(gt=1)] | None = None

    def values(self) -> list[int | float]:
        """The numbers; whole ones where `from` and what follows are."""
        found: list[float] = []
        value = self.first
        while value <= self.last * (1 + 1e-12) and len(found) <= MOST_POINTS:
            found.append(value)
            n = len(found)
            if self.step is not None:
                value = self.first + n * self.step
            else:
                assert self.times is not None, "one of the two is there"
                value = self.first * self.times**n
        return [int(v) if float(v).is_integer() else v for v in found]


class ModelEntry(_Checked):
    """A model with what the user knows of it."""

    model: str
    name: str | None = None
    accuracy: float | None = None
    signature: str | None = None

    @property
    def shown(self) -> str:
        """What it is called in the results."""
        file = Path(self.model).name
        return self.name or (file if self.signature is None else f"{file} {self.signature}")


class Spec(_Checked):
    """A spec as it stands in its file."""

    models: tuple[str | ModelEntry, ...] = Field(min_length=1)
    chip: str | tuple[str, ...] = "edge"
    frames: int = Field(default=DEFAULT_FRAMES, ge=1, le=MOST_CALLS)
    symbols: int | None = Field(default=None, ge=0, le=MAX_SYMBOLS_PER_FRAME)
    grid: tuple[dict[str, Any], ...] = ({},)


@dataclass(frozen=True, eq=False)
class _Known:
    """A model that points are made of."""

    entry: ModelEntry
    place: str
    sources: Mapping[str, str]


def read_spec(path: str | Path) -> list[Point]:
    """The points of a spec, in its order, each once.

    Raises ParamsError naming every key that there is not and every value that makes no sense; what
    a chip or a model cannot be shows when its point is worked out.
    """
    path = Path(path)
    try:
        values = tomllib.loads(read_text(path, MAX_TOML_BYTES, ParamsError))
    except (ValueError, RecursionError) as error:
        raise ParamsError(f"{path}: not a readable TOML file: {error}") from error
    if isinstance(values.get("grid"), dict):
        values["grid"] = [values["grid"]]
    spec = _spec(_tuples(values), str(path))
    chips = [spec.chip] if isinstance(spec.chip, str) else spec.chip
    bases = [load_params(_seen_from(path, name)) for name in chips]
    models = [_model(path, entry) for entry in spec.models]
    points: dict[str, Point] = {}
    for known, base, axes in product(models, bases, _grids(spec, bases[0], str(path))):
        for values in _combinations(axes):
            point = _point(known, base, values, spec)
            points.setdefault(f"{known.place} {point.key}", point)
            if len(points) > MOST_POINTS:
                raise ParamsError(f"{path}: more than {MOST_POINTS} points; take fewer values")
    return list(points.values())


def _spec(values: Mapping[str, Any], where: str) -> Spec:
    try:
        return Spec.model_validate(values)
    except ValidationError as error:
        raise ParamsError(f"{where}: {_told(error)}") from error


def _told(error: ValidationError) -> str:
    """What is wrong with some keys, in one line."""
    found = []
    for item in error.errors(include_url=False):
        key = ".".join(str(part) for part in item["loc"])
        match item["type"]:
            case "missing":
                found.append(f"key {key!r} is missing")
            case "extra_forbidden":
                found.append(f"key {key!r} is unknown")
            case _:
                found.append(f"{key} = {str(item['input'])[:60]!r}: {item['msg'].lower()}")
    return "; ".join(found)


def _tuples(values: Any) -> Any:
    """Lists as tuples, which is what a frozen object holds."""
    if isinstance(values, list):
        return tuple(_tuples(each) for each in values)
    if isinstance(values, dict):
        return {key: _tuples(value) for key, value in values.items()}
    return values


def _seen_from(spec: Path, name: str) -> str:
    """A file that a spec names lies where it is seen from the spec's folder."""
    path = spec.parent / name
    return str(path) if path.exists() else name


def _model(spec: Path, entry: str | ModelEntry) -> _Known:
    entry = ModelEntry(model=entry) if isinstance(entry, str) else entry
    place = _seen_from(spec, entry.model)
    if not model_files(place):
        raise ParamsError(
            f"{spec}: no model {entry.model!r}: give a .tflite file, a transducer folder, or a zoo "
            f"model ({', '.join(zoo.names())})"
        )
    if place not in zoo.names() or Path(place).exists():
        place = str(Path(place).resolve())
    try:
        sources = load_model(place, entry.signature).sources
    except NpuError:
        # Its points say what is wrong with it, and with no other one.
        sources = {place: ""}
    return _Known(entry, place, sources)


def _grids(spec: Spec, base: ChipParams, where: str) -> list[dict[str, list[_Value]]]:
    """The values of every grid by key."""
    known = {*flat(base.model_dump(mode="json")), *WEIGHTS}
    found = []
    for number, grid in enumerate(spec.grid, 1):
        axes: dict[str, list[_Value]] = {}
        for key, value in _axes(grid):
            place = f"{where}: grid {number}: {key}"
            if key not in known:
                raise ParamsError(f"{place} is no parameter; there are {', '.join(sorted(known))}")
            axes[key] = _values(value, place)
        found.append(axes)
    return found


def _axes(grid: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Keys with what they range over; "energy_pj.mac" of a key in a table."""
    for key, value in grid.items():
        if isinstance(value, dict) and "from" not in value:
            yield from _axes(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def _values(value: Any, place: str) -> list[_Value]:
    if isinstance(value, dict):
        try:
            span = Range.model_validate(value, strict=False)
        except ValidationError as error:
            raise ParamsError(f"{place}: {_told(error)}") from error
        if (span.step is None) == (span.times is None):
            raise ParamsError(f"{place}: a range has one of 'step' and 'times'")
        if span.times is not None and span.first <= 0:
            raise ParamsError(f"{place}: a range with 'times' begins above 0, not {span.first:g}")
        found: list[Any] = list(span.values())
    else:
        found = list(value) if isinstance(value, tuple) else [value]
    if not found:
        raise ParamsError(f"{place} has no values")
    if len(found) > MOST_POINTS:
        raise ParamsError(f"{place} has more than {MOST_POINTS} values; take a larger step")
    for each in found:
        if not isinstance(each, _Value):
            raise ParamsError(f"{place}: {str(each)[:60]!r} is no value of a parameter")
    return found


def _combinations(axes: Mapping[str, list[_Value]]) -> Iterator[dict[str, _Value]]:
    for values in product(*axes.values()):
        yield dict(zip(axes, values, strict=True))


def _point(known: _Known, base: ChipParams, values: dict[str, _Value], spec: Spec) -> Point:
    chip = base.model_dump(mode="json")
    for key, value in values.items():
        if key not in WEIGHTS:
            _put(chip, key, value)
    entry = known.entry
    try:
        chosen: dict[str, Any] = {key: values[key] for key in WEIGHTS if key in values}
        thinning = Thinning(**chosen)
    except (TypeError, ValueError) as error:
        raise ParamsError(f"{entry.model}: {error}") from error
    return Point(
        model=known.place,
        name=entry.shown,
        sources=known.sources,
        chip=chip,
        thinning=thinning,
        frames=spec.frames,
        symbols=spec.symbols,
        accuracy=None if thinning.changes else entry.accuracy,
        signature=entry.signature,
    )


def _put(chip: dict[str, Any], key: str, value: _Value) -> None:
    table, _, inner = key.partition(".")
    if inner:
        _put(chip[table], inner, value)
        return
    # A whole number is a number, too, where TOML has no point in it.
    real = isinstance(chip.get(key), float) and type(value) is int
    chip[key] = float(value) if real else value
