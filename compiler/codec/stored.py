"""A compressed matrix as bytes of its own, with a checksum over every part.

A header, then the parts one after the other: the codes as a matrix block without scales, the deal,
the sections. Little-endian; `compiler/codec/README.md` has the table.
"""

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np

from npu.chip.weight_format import (
    SCALE_DTYPE,
    VERSION,
    CodeSet,
    block_size,
    pack_block,
    unpack_block,
)
from npu.errors import ImageError

MAGIC = b"ZSPK"
CONTAINER_VERSION = 1
# Magic, version of the container, version of the format, rows, columns, lanes, threads, bus bytes;
# bytes and CRC-32 of each part; CRC-32 of the header up to here.
PARTS = ("codes", "deal", "sections")
_HEAD = struct.Struct("<4sHHIQIII" + "II" * len(PARTS))
_CRC = struct.Struct("<I")
HEADER_BYTES = _HEAD.size + _CRC.size
_NO_SCALES = np.zeros(0, SCALE_DTYPE)


def store(
    shape: tuple[int, int],
    lanes: int,
    threads: int,
    bus_bytes: int,
    slot_rows: Sequence[np.ndarray],
    sets: Sequence[CodeSet],
    sections: Sequence[np.ndarray],
    symbols_per_slot: np.ndarray,
) -> bytes:
    """The bytes; the arguments are fields of a `Packed` that pass its `check`."""
    parts = (
        pack_block(sets, _NO_SCALES),
        _words(map(len, slot_rows)) + _words(symbols_per_slot) + b"".join(map(_words, slot_rows)),
        _words(map(len, sections)) + b"".join(map(_words, sections)),
    )
    sums = [number for part in parts for number in (len(part), zlib.crc32(part))]
    head = _HEAD.pack(MAGIC, CONTAINER_VERSION, VERSION, *shape, lanes, threads, bus_bytes, *sums)
    return head + _CRC.pack(zlib.crc32(head)) + b"".join(parts)


def load(data: bytes) -> dict[str, Any]:
    """The fields again. Raises ImageError naming what is damaged, and for other versions."""
    if len(data) < HEADER_BYTES or data[: len(MAGIC)] != MAGIC:
        raise ImageError(f"{len(data)} bytes that do not start as a compressed matrix does")
    _, container, version, rows, columns, lanes, threads, bus_bytes, *sums = _HEAD.unpack_from(data)
    if (container, version) != (CONTAINER_VERSION, VERSION):
        raise ImageError(
            f"a compressed matrix of version {container}, format {version}; this is version "
            f"{CONTAINER_VERSION}, format {VERSION}: compress it again"
        )
    if _CRC.unpack_from(data, _HEAD.size)[0] != zlib.crc32(data[: _HEAD.size]):
        raise ImageError("the header is damaged: its checksum is another")
    sizes = sums[::2]
    if len(data) != HEADER_BYTES + sum(sizes):
        raise ImageError(f"{len(data)} bytes, the header says {HEADER_BYTES + sum(sizes)}")
    parts, at = [], HEADER_BYTES
    for name, size, crc in zip(PARTS, sizes, sums[1::2], strict=True):
        part = data[at : at + size]
        if zlib.crc32(part) != crc:
            raise ImageError(f"the {name} are damaged: their checksum is another")
        parts.append(part)
        at += size
    codes, deal, words = parts
    if not lanes or not threads:
        raise ImageError(f"{lanes} lanes of {threads} threads, must be at least one of each")
    _, symbols, *slot_rows = _split(deal, "deal", lanes * threads, 2)
    return {
        "shape": (rows, columns),
        "lanes": lanes,
        "threads": threads,
        "bus_bytes": bus_bytes,
        "slot_rows": tuple(each.astype(np.int64) for each in slot_rows),
        "sets": _codes(codes),
        "sections": tuple(_split(words, "sections", lanes, 1)[1:]),
        "symbols_per_slot": symbols.astype(np.int64),
    }


def _words(numbers: Any) -> bytes:
    found = numbers if isinstance(numbers, np.ndarray) else np.array(list(numbers))
    return found.astype("<u4").tobytes()


def _split(part: bytes, name: str, count: int, tables: int) -> list[np.ndarray]:
    """uint32: so many tables of `count` each, the first of them sizes; then as many arrays."""
    words = np.frombuffer(part[: len(part) // 4 * 4], "<u4").astype(np.uint32)
    head = count * tables
    sizes = words[: min(count, len(words))].astype(np.int64)
    if len(part) % 4 or len(words) < head or head + int(sizes.sum()) != len(words):
        raise ImageError(f"the {name} take {len(part)} bytes, which is not what they say")
    starts = np.cumsum([head, *sizes[:-1]])
    heads = [words[at : at + count] for at in range(0, head, count)]
    return [*heads, *(words[at : at + n] for at, n in zip(starts, sizes, strict=True))]


def _codes(part: bytes) -> tuple[CodeSet, ...]:
    block = np.frombuffer(part, np.uint8)
    found = unpack_block(block, 0)
    if isinstance(found, str):
        raise ImageError(found)
    if block_size(block, 0) != len(block) or len(found[1]):
        raise ImageError(f"the codes take {len(block)} bytes, which is not what they say")
    return found[0]
