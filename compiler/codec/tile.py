"""The sections of a matrix as they lie in external memory: a tile (`npu.chip.tile`)."""

from collections.abc import Sequence

import numpy as np

from npu.chip.tile import (
    CHECKSUM_WORD,
    HEADER,
    HEADER_WORDS,
    MAX_WIDTHS,
    checksum,
    head_words,
    least_front,
    tail_bits,
)
from npu.chip.weight_format import MAX_STREAM_BITS, STREAM_BITS, WORD_BITS, directory_words
from npu.errors import CapacityError, ImageError

_MOST = {name: (1 << width) - 1 for name, (_, width) in HEADER.items()}


def split_words(sizes: np.ndarray, threads: int, bus_words: int) -> tuple[np.ndarray, np.ndarray]:
    """(bus words of the body, words of the tail), each (lanes,) int64, of sections.

    sizes : (lanes,) 32-bit words of the sections, directories included.
    """
    streams = sizes - directory_words(threads) - head_words(threads, bus_words)
    bodies = np.maximum(0, streams) // bus_words
    tails = np.maximum(0, streams) % bus_words
    if bodies.any():
        # None may be empty then.
        tails = np.where(bodies == 0, 0, tails)
        bodies = np.maximum(1, bodies)
    return bodies, tails


def bank_words(sizes: Sequence[int], threads: int, bus_words: int) -> int:
    """Bus words that the longest section of a tile takes in every bank; see `split_words`."""
    opening = (directory_words(threads) + head_words(threads, bus_words)) // bus_words
    bodies, tails = split_words(np.array(sizes, np.int64), threads, bus_words)
    return opening + int(np.max(bodies + (tails > 0), initial=0))


def field_widths(slots: np.ndarray, bodies: np.ndarray) -> dict[str, int]:
    """The header's numbers that fields need: the least of each and the width of the rest.

    slots : (slots, 3) rows, run bits and value bits; bodies : (lanes,) bus words.
    """
    rows, streams = slots[:, 0], slots[slots[:, 0] > 0, 1:]
    least = {"shortest": int(bodies.min()), "least_rows": int(rows.min())}
    most = {"length": int(bodies.max()), "rows": int(rows.max())}
    for kind, bits in zip(("run", "value"), streams.T, strict=True):
        least[f"least_{kind}"] = int(np.min(bits, initial=MAX_STREAM_BITS)) if len(bits) else 0
        most[kind] = int(np.max(bits, initial=0))
    fields = {name: min(value, _MOST[name]) for name, value in least.items()}
    for kind, value in most.items():
        low = fields["shortest" if kind == "length" else f"least_{kind}"]
        fields[f"{kind}_width"] = (value - low).bit_length()
    return fields


def field_bits(fields: dict[str, int], lanes: int, threads: int, bus_words: int) -> int:
    """Bits of a tile's fields behind the header."""
    slot = sum(fields[f"{kind}_width"] for kind in ("rows", "run", "value"))
    return lanes * (fields["length_width"] + tail_bits(bus_words) + threads * slot)


def front_beats(fields: dict[str, int], tails: np.ndarray, threads: int, bus_words: int) -> int:
    """Bus words of a tile's front."""
    loose = int(tails.sum()) + len(tails) * head_words(threads, bus_words)
    bits = field_bits(fields, len(tails), threads, bus_words)
    words = HEADER_WORDS + -(-bits // WORD_BITS) + loose
    return max(least_front(bus_words), -(-words // bus_words))


def tile_words(slots: np.ndarray, sizes: np.ndarray, lanes: int, bus_words: int) -> tuple[int, int]:
    """32-bit words of a tile: all, and those of header and fields.

    slots : (slots, 3) rows, run bits and value bits; sizes : (lanes,) words of the sections.
    """
    threads = len(slots) // lanes
    bodies, tails = split_words(sizes, threads, bus_words)
    fields = field_widths(slots, bodies)
    front = front_beats(fields, tails, threads, bus_words)
    bits = field_bits(fields, lanes, threads, bus_words)
    total = (front + int(bodies.sum())) * bus_words
    return total, HEADER_WORDS + -(-bits // WORD_BITS)


def read_slots(sections: Sequence[np.ndarray], threads: int) -> np.ndarray:
    """(slots, 3) int64: rows, run bits and value bits, as the directories of sections say."""
    head = directory_words(threads)
    for lane, section in enumerate(sections):
        if len(section) < head:
            raise ImageError(
                f"lane {lane}: a section of {len(section)} words ends inside its directory of "
                f"{head} words; compile the model again"
            )
    words = np.array([section[:head] for section in sections], np.int64).reshape(-1, 2)
    return np.stack(
        [words[:, 0] >> STREAM_BITS, words[:, 0] & MAX_STREAM_BITS, words[:, 1] & MAX_STREAM_BITS],
        axis=1,
    )


def sealed(tile: np.ndarray) -> np.ndarray:
    """A tile, (words,) uint32, with the checksum of all its other words."""
    tile = tile.copy()
    tile[CHECKSUM_WORD] = checksum(tile)
    return tile


def pack_tile(sections: Sequence[np.ndarray], threads: int, bus_words: int) -> bytes:
    """A tile of sections, each (words,) uint32, for a bus word of `bus_words` 32-bit words.

    Raises CapacityError for sections too long, or too unlike in length, for the header's numbers.
    """
    lanes = len(sections)
    slots = read_slots(sections, threads)
    bodies, tails = split_words(np.array([len(s) for s in sections]), threads, bus_words)
    fields = field_widths(slots, bodies)
    if fields["length_width"] > MAX_WIDTHS["length_width"]:
        raise CapacityError(
            f"a section of {bodies.max()} bus words beside one of {bodies.min()}: "
            "split the matrix into smaller tiles"
        )
    fields["front"] = front_beats(fields, tails, threads, bus_words)
    fields["checksum"] = 0

    numbers = [(int(n) - fields["shortest"], fields["length_width"]) for n in bodies]
    for lane in range(lanes):
        numbers.append((int(tails[lane]), tail_bits(bus_words)))
        for slot in slots[lane * threads : (lane + 1) * threads].tolist():
            for number, kind in zip(slot, ("rows", "run", "value"), strict=True):
                coded = number - fields[f"least_{kind}"] if slot[0] else 0
                numbers.append((coded, fields[f"{kind}_width"]))
    text = "".join(f"{number:0{width}b}" for number, width in reversed(numbers) if width)
    front = np.zeros(fields["front"] * bus_words, "<u4")
    header = sum(fields[name] << at for name, (at, _) in HEADER.items())
    start = header | int(text or "0", 2) << HEADER_WORDS * WORD_BITS
    size = HEADER_WORDS + -(-len(text) // WORD_BITS)
    front[:size] = np.frombuffer(start.to_bytes(4 * size, "little"), "<u4")

    heads, parts, at = head_words(threads, bus_words), [], len(front)
    for section, body, tail in zip(sections, bodies.tolist(), tails.tolist(), strict=True):
        streams = np.zeros(heads + body * bus_words + tail, "<u4")
        kept = section[directory_words(threads) :]
        streams[: len(kept)] = kept
        for loose in (streams[:heads], streams[heads + body * bus_words :]):
            front[at - len(loose) : at] = loose[::-1]
            at -= len(loose)
        parts.append(streams[heads : heads + body * bus_words])
    return sealed(np.concatenate([front, *parts])).tobytes()
