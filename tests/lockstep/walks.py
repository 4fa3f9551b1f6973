"""Random walks of looped vector commands: boxes, transpositions, broadcasts, and absurd ones."""

import numpy as np

from npu.chip.isa import OPCODES, OPERANDS, command
from npu.chip.params import ChipParams
from npu.errors import MachineError
from npu.twin.walk import Walk, check_order

# Strides that somebody might use.
MOST_ROUNDS = 512
"""Of the inner loop, in a program that is simulated."""
USUAL = (0, 1, 1, 2, 3, 4, 8, 16, 24, 64)


def random_walks(
    rng: np.random.Generator, p: ChipParams, name: str, values: dict[str, int], most: int
) -> tuple[dict[str, int], dict[str, int]]:
    """Fields of a VLOOP, and `n` and places of a looped command `name`, both legal.

    values : the command's other fields. most : elements.
    """
    kinds = dict(zip(OPERANDS, command(name, **values).operand_types, strict=True))
    while True:
        counts = _counts(rng, most)
        found, places, walks = {}, {}, {}
        for key in OPERANDS:
            kind = kinds[key]
            size = 1 if kind is None else kind.n_bytes
            steps = _strides(rng, counts, size, p.sram_bytes)
            found |= {f"{key}_{level}": step for level, step in enumerate(steps)}
            if kind is None:
                continue
            spans = (1, *counts[1:]) if (name, key) == ("VDOT", "dst") else counts
            low, end = Walk(0, spans, steps, kind).span
            first = int(rng.integers((p.sram_bytes - (end - low)) // size + 1)) * size
            walks[key] = Walk(first - low, spans, steps, kind)
            places[key] = first - low
        dst = walks.get("dst")
        if dst is not None:
            same = str(rng.choice(["a", "b"]))
            if rng.random() < 0.15 and same in walks and kinds[same] is dst.kind and name != "VDOT":
                # In place.
                walks["dst"] = dst = walks[same]
                places["dst"] = dst.start
                found |= {f"dst_{level}": step for level, step in enumerate(dst.strides)}
            try:
                check_order([walks[key] for key in walks if key != "dst"], dst)
            except MachineError:
                most = max(1, most * 3 // 4)
                continue
        n, count_1, count_2 = counts
        return {"count_1": count_1, "count_2": count_2, **found}, {"n": n, **places}


def absurd_loop(rng: np.random.Generator) -> dict[str, int]:
    """Some fields of a VLOOP, as nobody would set them."""
    found = {}
    for field in OPCODES["VLOOP"].fields:
        low, high = field.range
        if field.name.startswith("count"):
            low, high = 0, 8
        if rng.random() < 0.3:
            found[field.name] = int(rng.choice([low, high, 1, low + 1, rng.integers(low, high)]))
    return found


def _counts(rng: np.random.Generator, most: int) -> tuple[int, int, int]:
    """Of elements of the three loops, often 1."""
    counts = [1, 1, 1]
    room = most
    for level in rng.permutation(3):
        if room > 1 and rng.random() < 0.7:
            counts[level] = int(
                rng.integers(1, room + 1 if rng.random() < 0.3 else min(room, 9) + 1)
            )
            room //= counts[level]
    return counts[0], counts[1], counts[2]


def _strides(
    rng: np.random.Generator, counts: tuple[int, int, int], size: int, sram_bytes: int
) -> tuple[int, int, int]:
    """Strides whose walk fits; where a count is 1, any."""
    room, steps = sram_bytes // size - 1, [0, 0, 0]
    for level in rng.permutation(3):
        bits = 16 if level == 0 else 24
        if counts[level] == 1:
            steps[level] = int(rng.integers(-(1 << (bits - 1)), 1 << (bits - 1)))
            continue
        most = room // (counts[level] - 1)
        step = int(rng.choice(USUAL)) if rng.random() < 0.7 else int(rng.integers(most + 1))
        step = min(step, most)
        room -= step * (counts[level] - 1)
        steps[level] = step * size * int(rng.choice([1, 1, -1]))
    return steps[0], steps[1], steps[2]
