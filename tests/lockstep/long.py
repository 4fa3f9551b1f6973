"""The long run of random programs: `make verify-long`, or `python -m tests.lockstep.long`."""

import argparse
import time
from collections import Counter

from tests.lockstep.compare import CHIPS, ENDINGS, MORE_CHIPS, compare, shrink
from tests.lockstep.programs import random_recipe

ALL_CHIPS = CHIPS | MORE_CHIPS


def table(counts: Counter[tuple[str, str]]) -> str:
    """Programs by chip and by how they ended."""
    endings = [ending for ending in ENDINGS if any(counts[chip, ending] for chip in ALL_CHIPS)]
    rows = [["chip", "programs", *endings]]
    for chip in ALL_CHIPS:
        numbers = [counts[chip, ending] for ending in endings]
        rows.append([chip, f"{sum(numbers):,}", *(f"{n:,}" for n in numbers)])
    rows.append(["all", f"{counts.total():,}"])
    rows[-1] += [f"{sum(counts[chip, ending] for chip in ALL_CHIPS):,}" for ending in endings]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    ]
    return "\n".join(lines)


def main() -> int:
    """Run programs until the count or the time is reached; 1 at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--first-seed", type=int, default=1_000_000)
    arguments = parser.parse_args()
    began, counts = time.monotonic(), Counter[tuple[str, str]]()
    while counts.total() < arguments.programs and time.monotonic() - began < 60 * arguments.minutes:
        seed = arguments.first_seed + counts.total() // len(ALL_CHIPS)
        name = list(ALL_CHIPS)[counts.total() % len(ALL_CHIPS)]
        params, recipe = ALL_CHIPS[name], random_recipe(seed)
        outcome = compare(recipe, params)
        if outcome.difference is not None:
            small = shrink(recipe, lambda r, p=params: compare(r, p).difference is not None)
            print(f"{name}, seed {seed}, {small}:")
            print(compare(small, params).difference or outcome.difference)
            return 1
        counts[name, outcome.ending] += 1
        if counts.total() % 500 == 0:
            seconds = time.monotonic() - began
            print(f"{counts.total()} programs, {seconds:.0f} s, no difference", flush=True)
    seconds = time.monotonic() - began
    print(f"{counts.total()} programs in {seconds:.0f} s, no difference; how they ended:")
    print(table(counts))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
