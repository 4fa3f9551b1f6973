"""Lanes side by side: what is compiled runs free of the global lock."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

from npu.chip.weight_format import set_of_lane

Result = TypeVar("Result")


def parts(lanes: int, workers: int, sets: int = 1) -> list[tuple[int, int]]:
    """Cut lanes in about `workers` parts, each of one code set: (first lane, end) of each."""
    workers = min(workers, lanes)
    cuts = {part * lanes // workers for part in range(workers)}
    borders = {
        lane
        for lane in range(1, lanes)
        if set_of_lane(lane, lanes, sets) != set_of_lane(lane - 1, lanes, sets)
    }
    return list(pairwise(sorted(cuts | borders | {0, lanes})))


def mapped(work: Callable[..., Result], arguments: Iterable[tuple], workers: int) -> list[Result]:
    """`work` on each tuple of arguments, in their order, on so many threads."""
    arguments = list(arguments)
    if workers == 1 or len(arguments) < 2:
        return [work(*each) for each in arguments]
    with ThreadPoolExecutor(min(workers, len(arguments))) as pool:
        return list(pool.map(lambda each: work(*each), arguments))
