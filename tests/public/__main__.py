"""Compares every model of some folders with TensorFlow Lite Micro, and goes on whatever happens.

`python -m tests.public FOLDER... [--chips edge,max] [--only WORD] [--json FILE]`. Every model gets
extreme, random and real inputs (`tests/public/calls.py`); one that is refused is listed with the
refusal. Exit status 1 where an element differs, or where a model broke something.
"""

import argparse
import os
import sys
from pathlib import Path

from tests.public import table
from tests.public.compare import Outcome, Wanted
from tests.public.files import model_files
from tests.public.guard import guarded


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.public", description=__doc__)
    parser.add_argument("places", nargs="+", type=Path, help="folders, or .tflite files")
    parser.add_argument("--chips", default="edge,max", help="twins, with commas; '' for none")
    parser.add_argument("--only", default="", help="models with this in their path")
    parser.add_argument("--twin-calls", type=int, default=1 << 30, help="most calls on a twin")
    parser.add_argument("--seconds", type=int, default=900, help="most that a model may take")
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--json", type=Path, help="all results")
    return parser.parse_args()


def main() -> int:
    asked = arguments()
    chips = tuple(chip for chip in asked.chips.split(",") if chip)
    wanted = Wanted(chips, asked.twin_calls, asked.seed)
    files = [path for path in model_files(asked.places) if asked.only in str(path)]
    if not files:
        sys.exit("error: no .tflite file there")
    common = Path(os.path.commonpath([path.resolve().parent for path in files]))
    outcomes: list[Outcome] = []
    for path in files:
        name = str(path.resolve().relative_to(common))
        outcomes.append(guarded(path, name, wanted, asked.seconds))
        print(*table.lines(outcomes[-1]), sep="\n", flush=True)
    print("\nwhat is missing", *table.missing(outcomes), sep="\n")
    print("\ntotals", *table.totals(outcomes, chips), sep="\n")
    if asked.json is not None:
        table.write_json(asked.json, outcomes)
    differ = sum(engine.differ for each in outcomes for engine in each.engines.values())
    return int(differ > 0 or any(each.broken is not None for each in outcomes))


if __name__ == "__main__":
    sys.exit(main())
