"""What transfers have brought into banks and parameter memory: names for their contents.

A matrix-vector command does the same in the same cycles when banks and parameter memory hold the
same. To know that without looking at every bit, each transfer gets a number, the same for the same
bytes from the same place, and a command is known by the numbers of what it reads.
"""

from typing import NamedTuple

import numpy as np

from npu.chip.isa import Command
from npu.twin.matvec import Reads

Key = tuple
"""A name for what a MATVEC finds at its addresses."""

# Bytes that are kept to recognise them.
MAX_SEEN_BYTES = 1 << 27


class Brought(NamedTuple):
    """What a transfer has brought: its number, from where to where, and its ends (in each bank)."""

    number: int
    first: int
    end: int
    ends: np.ndarray

    def covers(self, other: "Brought") -> bool:
        """Whether nothing of another one is left."""
        inside = self.first <= other.first and other.end <= self.end
        return inside and bool(np.all(self.ends >= other.ends))


class Kept(NamedTuple):
    """What `Loaded` knows at a moment."""

    areas: dict[str, dict[tuple[int, int], tuple[int, np.ndarray]]]
    history: dict[str, tuple[Brought, ...]]


class Loaded:
    """The transfers whose bytes are still there."""

    def __init__(self) -> None:
        # By place: the transfer's number, and the end of what it brought (to each bank).
        self._areas: dict[str, dict[tuple[int, int], tuple[int, np.ndarray]]] = {
            "bank": {},
            "param": {},
        }
        # Of what is not whole any more, too: what lies behind a short section, say.
        self._history: dict[str, tuple[Brought, ...]] = {"bank": (), "param": ()}
        self._seen: dict[tuple[int, int], tuple[bytes, int]] = {}
        self._seen_bytes = 0
        self._numbers = 0

    def note(
        self, space: str, first: int, ends: np.ndarray, address: int, data: np.ndarray
    ) -> None:
        """A transfer brings `data` (uint8) from `address` to `first` and further of a space.

        ends : where it ends, one number; in each bank, (lanes,).
        """
        areas, end = self._areas[space], int(ends.max())
        for other in [area for area in areas if area[0] < end and first < area[1]]:
            del areas[other]
        number = self._number(address, data)
        areas[first, end] = number, ends
        new = Brought(number, first, end, ends)
        kept = (old for old in self._history[space] if not new.covers(old))
        self._history[space] = (*kept, new)

    @property
    def contents(self) -> tuple:
        """A name for all that lies in banks and parameter memory.

        The same name, the same bits; but the same bits may have several.
        """
        return tuple(
            tuple((each.number, each.first) for each in all_of) for all_of in self._history.values()
        )

    def keep(self) -> "Kept":
        """What `restore` takes."""
        areas = {space: dict(areas) for space, areas in self._areas.items()}
        return Kept(areas, dict(self._history))

    def restore(self, kept: "Kept") -> None:
        """Go back to when `keep` was called; the memories are the caller's."""
        self._areas = {space: dict(areas) for space, areas in kept.areas.items()}
        self._history = dict(kept.history)

    def key(self, cmd: Command) -> Key | None:
        """A name for what a MATVEC finds at its addresses, None if it is not known."""
        v = cmd.values
        bank, block, rows = v["bank"], v["block"], v["rows"]
        found = [self._at("bank", bank), self._at("param", rows)]
        if not v["held"]:
            found.append(self._at("param", block))
        if None in found:
            return None
        return (*found, bank, block, rows, v["columns"])

    def holds(self, key: Key, reads: Reads) -> bool:
        """Whether a key names all bytes that its MATVEC reads.

        Each bank by itself: behind a short section lies what was there before.
        """
        for (area, _), (space, first, end) in zip(key, reads.spans, strict=False):
            ends = reads.bank_ends if space == "bank" else end
            if first < area[0] or np.any(ends > self._areas[space][area][1]):
                return False
        return True

    def _at(self, space: str, place: int) -> tuple[tuple[int, int], int] | None:
        """The area that a place lies in, and its number."""
        for area, (number, _) in self._areas[space].items():
            if area[0] <= place < area[1]:
                return area, number
        return None

    def _number(self, address: int, data: np.ndarray) -> int:
        raw = data.tobytes()
        seen = self._seen.get((address, len(raw)))
        if seen is not None and seen[0] == raw:
            return seen[1]
        if self._seen_bytes > MAX_SEEN_BYTES:
            self._seen.clear()
            self._seen_bytes = 0
        self._seen_bytes += len(raw)
        self._numbers += 1
        self._seen[address, len(raw)] = (raw, self._numbers)
        return self._numbers
