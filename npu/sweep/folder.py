"""The results of a sweep: a folder of Parquet files, one row a point, readable while it runs.

While a sweep runs, its rows come in parts; at the end they are one file in the order of the points.
Every file appears whole. A reader that finds a row in two of them takes it once.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pyarrow as pa
import pyarrow.parquet as pq

from npu.chip.summary import flat
from npu.errors import NpuError
from npu.files import write_atomic
from npu.sweep.compute import Results
from npu.sweep.point import Point

ALL = "points.parquet"
PART = "part-{:05d}.parquet"
PARTS = "part-*.parquet"

KEY, MODEL = "key", "model"
WANTED = ("model", "sparsity", "bits")
"""What a row says of its model's weights: what was asked for, None where nothing was."""

Row = dict[str, Any]

_ARROW = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}


def row_of(point: Point, results: Results) -> Row:
    """A point with what it costs."""
    return {
        KEY: point.key,
        MODEL: point.name,
        "sparsity": point.thinning.sparsity,
        "bits": point.thinning.bits,
        "accuracy": point.accuracy,
        **results,
        **flat(point.chip),
    }


def schema_of(points: Iterable[Point]) -> pa.Schema:
    """The types of all rows: parameters of a chip have that of their first value."""
    kinds: dict[str, pa.DataType] = {
        KEY: pa.string(),
        MODEL: pa.string(),
        "sparsity": pa.float64(),
        "bits": pa.int64(),
        "accuracy": pa.float64(),
    }
    for name, hint in get_type_hints(Results).items():
        kinds[name] = _ARROW[next(each for each in (*get_args(hint), hint) if each in _ARROW)]
    for point in points:
        for name, value in flat(point.chip).items():
            if value is not None:
                kind = _ARROW.get(type(value), pa.string())
                kinds[name] = kind if kinds.get(name, kind) == kind else pa.string()
    return pa.schema(list(kinds.items()))


class Folder:
    """Writes the rows of a sweep.

    Parameters
    ----------
    folder : is made where it is not there; what another sweep left in it goes.
    points : in the order in which they will stand in the one file.

    Raises NpuError where it cannot be written.
    """

    def __init__(self, folder: str | Path, points: Sequence[Point]) -> None:
        self.path = Path(folder)
        self._schema = schema_of(points)
        self._order = {point.key: place for place, point in enumerate(points)}
        self._rows: list[Row] = []
        self._written = 0
        self._parts = 0
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise NpuError(f"cannot write {folder}: {error.strerror or error}") from error
        others = [p.name for p in self.path.iterdir() if p.suffix not in (".parquet", ".tmp")]
        if others:
            raise NpuError(
                f"cannot write {folder}: it holds {sorted(others)[0]!r}, which no sweep wrote; "
                "name another folder"
            )

    def begin(self, rows: Iterable[Row]) -> None:
        """With rows that are known already: they take the place of what is there."""
        before = sorted(self.path.glob("*.parquet"))
        self.add(rows)
        self._flush(self.path / PART.format(0))
        self._parts = 1
        for path in before:
            if path.name != PART.format(0):
                path.unlink(missing_ok=True)

    def add(self, rows: Iterable[Row]) -> None:
        """Take further rows; `write` makes them seen."""
        self._rows.extend(rows)

    def write(self) -> None:
        """Write what has come since the last time."""
        if self._written < len(self._rows):
            self._flush(self.path / PART.format(self._parts))
            self._parts += 1

    def end(self) -> None:
        """All rows into one file."""
        self._rows.sort(key=lambda row: self._order[row[KEY]])
        self._written = 0
        self._flush(self.path / ALL)
        for path in self.path.glob(PARTS):
            with suppress(OSError):
                path.unlink()

    def _flush(self, path: Path) -> None:
        rows = [
            {name: _as(row.get(name), kind) for name, kind in _fields(self._schema)}
            for row in self._rows[self._written :]
        ]
        written = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows, schema=self._schema), written)
        write_atomic(path, written.getvalue())
        self._written = len(self._rows)


def read_rows(folder: str | Path) -> list[Row]:
    """The rows that are there, each once; those of a sweep that runs come in any order.

    Raises NpuError for a folder without any, and for a damaged file.
    """
    path = Path(folder)
    if not path.is_dir():
        raise NpuError(f"{folder}: is no folder; give one that npu sweep has written")
    found: dict[str, Row] = {}
    files = sorted(path.glob("*.parquet"))
    for file in files:
        try:
            rows = pq.read_table(io.BytesIO(file.read_bytes())).to_pylist()
        except FileNotFoundError:
            # Its rows went into another file.
            return read_rows(folder)
        except (OSError, pa.ArrowException) as error:
            raise NpuError(f"{file}: cannot be read: {error}") from error
        for row in rows:
            if KEY not in row or MODEL not in row:
                raise NpuError(f"{file}: is no result of npu sweep")
            found[row[KEY] + row[MODEL]] = row
    if not files:
        raise NpuError(f"{folder}: holds no results of npu sweep (yet)")
    return list(found.values())


def _fields(schema: pa.Schema) -> list[tuple[str, pa.DataType]]:
    return [(field.name, field.type) for field in schema]


def _as(value: Any, kind: pa.DataType) -> Any:
    """A value of a column; what is wrong in a chip may be of any type."""
    if value is None:
        return None
    if pa.types.is_string(kind):
        return str(value)
    if pa.types.is_floating(kind):
        return float(value) if isinstance(value, int | float) else None
    if pa.types.is_boolean(kind):
        return bool(value)
    return value if isinstance(value, int) else None


def columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The parameters of the chip in which rows differ, and what was asked of the weights."""
    fixed = {KEY, MODEL, "accuracy", *Results.__annotations__}
    names = [name for name in rows[0] if name not in fixed] if rows else []
    return [name for name in names if len({row.get(name) for row in rows}) > 1]
