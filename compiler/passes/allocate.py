"""SRAM allocation: every buffer gets an address; buffers that are never alive together share.

Greedy by size (Pisarchyk and Lee, "Efficient memory management for deep neural net inference",
2020; the planner of TensorFlow Lite Micro does the same): the largest first, each at the lowest
address that is free throughout its life. Where that takes more than the largest live set, what
came to lie too high is placed earlier, again and again: squeaky wheel optimisation (Joslin and
Clements, 1999).
"""

from collections.abc import Iterator

import numpy as np

from compiler.lowering.ir import ChipModule
from compiler.passes.lifetimes import LiveSet, Place, live_set, places
from npu.chip.params import ChipParams
from npu.errors import CapacityError

MOST_COMPARED = 1 << 21
"""Pairs of places, in all attempts from one order."""

MOST_ATTEMPTS = 200


def allocate(module: ChipModule, params: ChipParams) -> tuple[int, LiveSet]:
    """Set every buffer's address; returns the bytes of SRAM in use and the largest live set.

    Raises CapacityError when the SRAM is too small.
    """
    taken = places(module)
    wanted = live_set(taken)
    addresses, used = _placed(taken, wanted.n_bytes)
    for place, address in zip(taken, addresses, strict=True):
        place.put(address)
    if used > params.sram_bytes:
        biggest = max((b for place in taken for b in place.buffers), key=lambda b: b.n_bytes)
        raise CapacityError(
            f"the model needs {used} bytes of vector SRAM (largest: {biggest.name}, "
            f"{biggest.n_bytes} bytes), chip {params.name!r} has {params.sram_bytes}; "
            "take a chip with a larger sram_bytes"
        )
    return used, wanted


def _placed(taken: list[Place], wanted: int) -> tuple[list[int], int]:
    """An address for each, and the bytes that they take: `wanted`, if that is found."""
    met = _met(taken)
    attempts = min(MOST_ATTEMPTS, 1 + MOST_COMPARED // (1 + sum(map(len, met))))
    best: list[int] = []
    least = -1
    for order in _orders(taken):
        tried: set[tuple[int, ...]] = set()
        # From an order that was tried before, all that follows was, too.
        while len(tried) < attempts and tuple(order) not in tried:
            tried.add(tuple(order))
            addresses = _lowest(taken, met, order)
            ends = [place.n_bytes + at for place, at in zip(taken, addresses, strict=True)]
            used = max(ends, default=0)
            if least < 0 or used < least:
                best, least = addresses, used
            if least <= wanted:
                return best, least
            order = sorted(order, key=lambda k: ends[k] <= wanted)
    return best, max(least, 0)


def _orders(taken: list[Place]) -> Iterator[list[int]]:
    """Where to begin: the largest first, then those that live longest."""
    by_size = sorted(range(len(taken)), key=lambda k: (-taken[k].n_bytes, taken[k].first))
    yield by_size
    yield sorted(by_size, key=lambda k: taken[k].first - taken[k].last)


def _met(taken: list[Place]) -> list[list[int]]:
    """For each, those that live while it does."""
    first, last = (np.array([getattr(p, name) for p in taken]) for name in ("first", "last"))
    return [
        np.flatnonzero((first <= place.last) & (place.first <= last)).tolist() for place in taken
    ]


def _lowest(taken: list[Place], met: list[list[int]], order: list[int]) -> list[int]:
    """Addresses: for one after the other the lowest that is free throughout its life."""
    addresses = [-1] * len(taken)
    for k in order:
        busy = sorted(
            (addresses[i], addresses[i] + taken[i].n_bytes) for i in met[k] if addresses[i] >= 0
        )
        address = 0
        for start, end in busy:
            if address + taken[k].n_bytes <= start:
                break
            address = max(address, end)
        addresses[k] = address
    return addresses
