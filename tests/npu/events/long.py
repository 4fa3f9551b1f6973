"""Random programs as events and on the stepped twin: `python -m tests.npu.events.long`.

Programs without damage: damaged data are for the twin alone.
"""

import argparse
import time
from collections import Counter
from dataclasses import replace

from tests.lockstep.compare import CHIPS, MORE_CHIPS, shrink
from tests.lockstep.programs import Recipe, build, random_recipe
from tests.npu.events.beside import WRITTEN, difference

ALL_CHIPS = CHIPS | MORE_CHIPS


def compared(seed: int) -> tuple[str | None, str]:
    """What differs on the program of a seed, None if nothing does; and the program.

    Every other one runs on a bus that is always ready, where costs are remembered.
    """
    name = list(ALL_CHIPS)[seed % len(ALL_CHIPS)]
    params, recipe = ALL_CHIPS[name], random_recipe(seed, damaged=False)
    if seed // len(ALL_CHIPS) % 2:
        recipe = replace(recipe, ready_percent=(100,) * 5)

    def fails(smaller: Recipe) -> bool:
        return difference(build(smaller, params)) not in (None, WRITTEN)

    found = difference(build(recipe, params))
    if found not in (None, WRITTEN):
        recipe = shrink(recipe, fails)
        found = difference(build(recipe, params))
    return found, f"{name}, seed {seed}, {recipe}"


def main() -> int:
    """Run programs; 1 at the first difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=1_000)
    parser.add_argument("--first-seed", type=int, default=0)
    arguments = parser.parse_args()
    began, counts = time.monotonic(), Counter[str | None]()
    for seed in range(arguments.first_seed, arguments.first_seed + arguments.programs):
        found, program = compared(seed)
        if found not in (None, WRITTEN):
            print(f"{program}:\n{found}")
            return 1
        counts[found] += 1
    print(
        f"{counts[None]} programs in {time.monotonic() - began:.0f} s, no difference; "
        f"{counts[WRITTEN]} write over what they load as weights and were left out"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
