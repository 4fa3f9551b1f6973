"""Quantise what packages ship and write `reports/shipped.json` and `shipped.md`:

python -m reports.shipped FOLDER --download            # fetches the wheels, too
python -m reports.shipped FOLDER --only '*palm*'       # these again, the others as they were
python -m reports.shipped FOLDER --rest                # what an interrupted run has left
python -m reports.shipped --page                       # the page again, from the last run

A model is a process of its own, with a limit of time and memory.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from npu.errors import NpuError
from npu.files import write_atomic
from reports.shipped.limited import limited
from reports.shipped.packages import PICTURES, Shipped, download, pictures_of, shipped
from reports.shipped.page import PAGE, RUN, page
from reports.shipped.rows import Row

SECONDS, MEMORY_BYTES = 900.0, 10 << 30
LEFT = "not measured yet"


def row_of(model: Shipped) -> Row:
    """A model of which nothing is known yet."""
    return {
        "packages": list(model.packages),
        "file": model.file,
        "sha256": model.sha256,
        "bytes": model.path.stat().st_size,
        "seconds": 0.0,
        "operators": {},
        "integers": False,
        "stopped": LEFT,
    }


def measured_row(model: Shipped, pictures: Path | None, seconds: float) -> Row:
    """What comes of a model in a process of its own."""
    from reports.shipped.measure import measured  # the page is written without runtimes

    began = time.perf_counter()
    given = (model.path, model.file, pictures)
    ended = limited(measured, given, seconds, MEMORY_BYTES, ["reports.shipped.measure"])
    row = row_of(model)
    row["seconds"] = round(time.perf_counter() - began, 1)
    if ended.stopped:
        row["stopped"] = ended.stopped
    else:
        del row["stopped"]
        row.update(ended.given)
    return row


def measure(
    models: Sequence[Shipped],
    known: Sequence[Row],
    wanted: Callable[[Row], bool],
    measured_one: Callable[[Shipped], Row],
) -> Iterator[list[Row]]:
    """Rows of all models, so far: those that are `wanted` as they are measured, small ones first.

    known : rows of an earlier run
    """
    before = {row["sha256"]: row for row in known}
    rows = {each.sha256: before.get(each.sha256, row_of(each)) for each in models}
    yield list(rows.values())
    for model in sorted(models, key=lambda each: each.path.stat().st_size):
        if wanted(rows[model.sha256]):
            rows[model.sha256] = measured_one(model)
            print(json.dumps(rows[model.sha256]), flush=True)
            yield list(rows.values())


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m reports.shipped", description=str(__doc__).partition("\n")[0]
    )
    parser.add_argument("folder", type=Path, nargs="?", help="where wheels and packages lie")
    parser.add_argument("--download", action="store_true", help="fetch the wheels first")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="files to measure again")
    parser.add_argument("--rest", action="store_true", help="what is not measured yet alone")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="that a model may take")
    parser.add_argument("--page", action="store_true", help="write the page from the last run")
    parser.add_argument("--json", type=Path, default=RUN, metavar="FILE", help="of the run")
    parser.add_argument("--to", type=Path, default=PAGE, metavar="FILE", help="the page")
    given = parser.parse_args(arguments)
    try:
        if not given.page:
            if given.folder is None:
                raise NpuError("give the FOLDER of the packages, or --page")
            if given.download:
                download(given.folder)
            known = json.loads(given.json.read_text("utf-8")) if given.json.exists() else []
            with TemporaryDirectory(prefix="zeroskip-") as folder:
                place = Path(folder)
                models, pictures = shipped(given.folder, place), pictures_of(given.folder, place)
                for rows in measure(
                    models,
                    known,
                    lambda row: (
                        fnmatchcase(row["file"], given.only)
                        and (not given.rest or row.get("stopped") == LEFT)
                    ),
                    lambda model: measured_row(model, pictures, given.seconds),
                ):
                    write_atomic(given.json, (json.dumps(rows, indent=1) + "\n").encode())
        text = page(json.loads(given.json.read_text(encoding="utf-8")), PICTURES)
        write_atomic(given.to, text.encode())
    except NpuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
