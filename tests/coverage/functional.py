"""The functional part in a process of its own: `python -m tests.coverage.functional FILE`.

Writes what was hit as JSON: the bins' words, and how many programs ran on the RTL.
"""

import argparse
import json
import sys
from collections.abc import Collection
from pathlib import Path

from npu.files import write_atomic
from tests.coverage import bins
from tests.coverage.arguments import BINS, bin_text, stale, unargued
from tests.coverage.search import search
from tests.lockstep.compare import CHIPS

CHIP = "three lanes"
PROGRAMS = 300
"""Random ones, before those that are made for a bin."""


def figures(hit: Collection[str]) -> dict[str, dict[str, int]]:
    """By kind of bin how many were hit, how many are argued, and of how many."""
    found: dict[str, dict[str, int]] = {}
    for each in bins.every_bin():
        kind = found.setdefault(each[0], {"hit": 0, "argued": 0, "of": 0})
        text = bin_text(each)
        kind["of"] += 1
        kind["hit"] += text in hit
        kind["argued"] += text not in hit and any(a.fits(text) for a in BINS)
    return found


def problems(hit: Collection[str]) -> list[str]:
    """Bins that were not hit and are not argued; arguments for what was hit."""
    every = [bin_text(each) for each in bins.every_bin()]
    missing = [text for text in every if text not in hit]
    found = [
        f"bin without a hit and without an argument: {text}" for text in unargued(missing, BINS)
    ]
    found += [f"argument for no bin: {place}" for place in stale(missing, BINS)]
    wrong = [(text, each) for text in sorted(hit) for each in BINS if each.fits(text)]
    return found + [f"hit, although argued ({each.place}): {text}" for text, each in wrong]


def main() -> int:
    """Run the search and write what it hit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", type=Path)
    parser.add_argument("--programs", type=int, default=PROGRAMS)
    arguments = parser.parse_args()
    done = search(CHIPS[CHIP], arguments.programs)
    record = {"programs": done.ran, "hit": sorted(map(bin_text, done.hit))}
    write_atomic(arguments.file, json.dumps(record).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
