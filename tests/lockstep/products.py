"""Matrix-vector commands of random programs: plain ones, and windows of any geometry."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from npu.chip.isa import ElementType, command
from npu.chip.params import ChipParams
from npu.chip.windows import ROW_BITS, Walk, walk
from tests.lockstep import scalars

MOST_POSITIONS = 24


@dataclass(frozen=True)
class Tile:
    """A tile in external memory.

    Attributes
    ----------
    places : elements from the destination on that its rows may go to.
    """

    columns: int
    places: int
    tile_at: int
    tile_beats: int
    param_at: int
    param_beats: int
    block_bytes: int


def matvec(builder: Any, rng: np.random.Generator, tile: Tile, half: int) -> None:
    """Emit a MATVEC with a tile that lies in a half of the memories."""
    element = ElementType(int(rng.integers(2)))
    bus = builder.p.bus_bytes
    src = builder.places.sram(rng, tile.columns, bus)
    dst = builder.places.sram(rng, 2 * tile.columns, element.n_bytes)
    while dst == src and not builder.recipe.wild:
        dst = builder.places.sram(rng, 2 * tile.columns, element.n_bytes)
    low, high = (-128, 127) if element is ElementType.INT8 else (-(2**15), 2**15 - 1)
    limits = {"lo": low, "hi": high}
    if rng.random() < 0.3:
        limits = builder.limits(rng, low, high)
    values = {
        "dst": dst,
        "columns": tile.columns,
        "a": src,
        "dst_type": element,
        "bank": half * builder.layout.bank_half,
        "block": half * builder.layout.param_half,
        "rows": half * builder.layout.param_half + tile.block_bytes,
        "a_zero": int(rng.integers(-128, 128)),
        "dst_zero": int(rng.integers(-128, 128)),
    }
    values |= limits
    for key in ("lo", "hi", "a_zero", "dst_zero"):
        if builder.rare(rng, 0.3):
            values[key] = builder.any_of(rng, "MATVEC", key)
    for key in ("columns", "bank", "block", "rows"):
        if builder.rare(rng, 0.02):
            nearby = values[key] + int(rng.choice([-8, -1, 1, 4, 8]))
            values[key] = nearby if nearby >= 0 else builder.any_of(rng, "MATVEC", key)
    found = None
    if tile.columns % bus == 0 and rng.random() < 0.7:
        more, found = _windowed(builder, rng, tile, element)
        values |= more
    elif builder.rare(rng, 0.03):
        values["windowed"] = 1
    if rng.random() < 0.4:
        values |= _summed(builder, rng, tile, values, found)
    # The codes of the command before, if it is known and the same tile's.
    if (builder.codes is tile and rng.random() < 0.5) or builder.rare(rng, 0.02):
        values["held"] = 1
    builder.emit("MATVEC", **scalars.relative(builder, rng, "MATVEC", values))
    builder.codes = tile


def _windowed(
    builder: Any, rng: np.random.Generator, tile: Tile, element: ElementType
) -> tuple[dict[str, int], Walk | None]:
    """Emit WINDOW and POSITIONS; the fields that MATVEC then has, none where nothing is found."""
    p: ChipParams = builder.p
    for _ in range(20):
        window, positions = _geometry(builder, rng, tile, element)
        if builder.rare(rng, 0.1):
            key = str(rng.choice(list(window)))
            window[key] = builder.any_of(rng, "WINDOW", key)
        if builder.rare(rng, 0.1):
            key = str(rng.choice([key for key in positions if not key.startswith("count")]))
            positions[key] = builder.any_of(rng, "POSITIONS", key)
        # Anywhere, also in front of SRAM, or far away from it.
        a = int(rng.integers(-200, p.sram_bytes)) % (1 << 24)
        if builder.rare(rng, 0.05):
            a = builder.any_of(rng, "MATVEC", "a")
        dst = builder.places.sram(rng, 2 * tile.places, element.n_bytes)
        commands = [command("WINDOW", **window), command("POSITIONS", **positions)]
        found = walk(command("MATVEC", a=a, dst=dst), *commands, p)
        if _apart(found, tile.places * element.n_bytes, p) or builder.rare(rng, 0.01):
            for cmd in commands:
                if not builder.rare(rng, 0.02):
                    builder.emit(cmd.opcode.name, **cmd.values)
            return {"a": a, "dst": dst, "windowed": 1}, found
    return {}, None


def _summed(
    builder: Any, rng: np.random.Generator, tile: Tile, values: dict[str, int], found: Walk | None
) -> dict[str, int]:
    """Fields that store int32 sums, or add them; none where no place is found.

    found : of a windowed command.
    """
    p: ChipParams = builder.p
    raw, add = ((1, 0), (0, 1), (1, 1))[int(rng.integers(3))]
    flags = {"raw": raw, "add": add}
    size = ElementType(values["dst_type"]).n_bytes
    if found is None:
        bases, read = np.array([values["dst"]]), np.zeros(0, np.int64)
    else:
        bases, read = found.destinations(), _read(found, p)
    targets = bases[:, None] + size * np.arange(tile.places)
    first, span = int(targets.min()), 4 * int(np.ptp(targets) + 1)
    if builder.rare(rng, 0.1):
        return flags | {
            "sums": builder.any_of(rng, "MATVEC", "sums") & ~(3 * int(rng.random() < 0.8))
        }
    for _ in range(10 if span <= p.sram_bytes else 0):
        at = 4 * int(rng.integers((p.sram_bytes - span) // 4 + 1))
        sums = at + 4 * (targets - first)
        sums = (sums[..., None] + np.arange(4)).reshape(-1)
        elements = (targets[..., None] + np.arange(size)).reshape(-1)
        wrong = np.intersect1d(read, sums).size if raw else np.intersect1d(sums, elements).size
        if not wrong or builder.rare(rng, 0.01):
            return flags | {"sums": (at - 4 * first) % (1 << 24)}
    return {}


def _geometry(
    builder: Any, rng: np.random.Generator, tile: Tile, element: ElementType
) -> tuple[dict[str, int], dict[str, int]]:
    bus, sram = builder.p.bus_bytes, builder.p.sram_bytes
    words = tile.columns // bus
    ny = int(rng.choice([n for n in (1, 2, 3, 5, words) if 1 <= n < 256 and words % n == 0]))
    left = words // ny
    nx = int(rng.choice([n for n in (1, 2, 3, 4, left) if 1 <= n < 256 and left % n == 0]))
    most = left // nx * bus
    length = int(rng.choice([most, most - bus + 1, rng.integers(most - bus + 1, most + 1)]))
    window = {
        "ny": ny,
        "nx": nx,
        "length": length,
        "width": int(rng.choice([0, 1, length, sram, rng.integers(1, 200)])),
        "height": int(rng.choice([0, 1, ny, 1 << ROW_BITS - 2, rng.integers(1, 12)])),
        "x": int(rng.choice([0, -1, -length, rng.integers(-40, 40)])),
        "y": int(rng.choice([0, -1, rng.integers(-4, 4)])),
        "dx": int(rng.choice([0, 1, bus, length, rng.integers(0, 60)])),
        "dy": int(rng.choice([0, 1, 1, 2, 255])),
        "pitch": int(rng.choice([0, 1, bus, -bus, rng.integers(-200, 200)])),
    }
    count_x = int(rng.choice([1, 1, 2, 3, 7]))
    steps = element.n_bytes * rng.integers(0, tile.places + 2, 2)
    positions = {
        "count_x": count_x,
        "count_y": int(rng.integers(1, max(2, 10 // count_x))),
        "a_x": int(rng.choice([0, 1, bus, -bus, rng.integers(-60, 60)])),
        "a_y": int(rng.choice([0, 1, bus, rng.integers(-300, 300)])),
        "y_step": int(rng.choice([0, 1, 1, 2, 255])),
        "dst_x": int(steps[0]) * int(rng.choice([1, 1, -1])),
        "dst_y": int(steps[1]) * int(rng.choice([1, 1, -1])),
    }
    return window, positions


def _apart(found: Walk, n_bytes: int, p: ChipParams) -> bool:
    """Whether all elements have places in SRAM, and no byte that is read is written.

    By ranges: no row of a tensor reaches into what comes behind a window's width.
    """
    first = found.destinations()
    if first.max() + n_bytes > p.sram_bytes:
        return False
    written = (first[:, None] + np.arange(n_bytes)).reshape(-1)
    return not np.intersect1d(_read(found, p), written).size


def _read(found: Walk, p: ChipParams) -> np.ndarray:
    """All bytes that windows may read, by ranges."""
    mask = (1 << p.address_bits) - 1
    px, py = np.arange(found.count_x), np.arange(found.count_y)[:, None]
    i, j = np.arange(found.ny)[:, None], np.arange(found.nx)
    begins = (found.a + py * found.a_y + px * found.a_x).reshape(-1, 1)
    segments = (i * found.pitch + j * found.dx).reshape(-1)
    return ((begins + segments)[:, :, None] + np.arange(found.length)).reshape(-1) & mask
