"""The long run of random programs: `make verify-long`, or `python -m tests.lockstep.long`."""

import argparse
import time

from tests.lockstep.compare import CHIPS, difference, shrink
from tests.lockstep.programs import random_recipe


def main() -> int:
    """Run programs until the count or the time is reached; 1 at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=100_000)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--first-seed", type=int, default=1_000_000)
    arguments = parser.parse_args()
    began, done = time.monotonic(), 0
    while done < arguments.programs and time.monotonic() - began < 60 * arguments.minutes:
        seed = arguments.first_seed + done // len(CHIPS)
        name = list(CHIPS)[done % len(CHIPS)]
        params, recipe = CHIPS[name], random_recipe(seed)
        if found := difference(recipe, params):
            small = shrink(recipe, lambda r, p=params: difference(r, p) is not None)
            print(f"{name}, seed {seed}, {small}:\n{difference(small, params) or found}")
            return 1
        done += 1
        if done % 500 == 0:
            print(f"{done} programs, {time.monotonic() - began:.0f} s, no difference", flush=True)
    print(f"{done} programs in {time.monotonic() - began:.0f} s, no difference")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
