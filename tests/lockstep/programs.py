"""Random valid programs for the chip: commands, weights, memory image and bus schedule.

A recipe is a few small integers per step, so that hypothesis shrinks a failing program well.
Programs are valid: every address fits, nothing is read while it loads, loops end. Everything
else (shapes, sparsity, parameters, overlap of transfers with compute, branches) is up for grabs.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from hypothesis import strategies as st

from compiler.codec import choose_sets, encode
from compiler.codec.deal import deal
from npu.format import LUT_BYTES, MAX_SCALES, ROW_DTYPE, SCALE_DTYPE, SETS, pack_block
from npu.isa import Command, ElementType, command
from npu.isa import encode as encode_command
from npu.params import ChipParams
from npu.twin.memory import BusSchedule

# Matrices per chip that programs draw from.
TILES = 60
# Registers: the host's arguments and scratch in 1..7, loop counters above.
SCRATCH = range(1, 8)
COUNTERS = range(8, 12)
VECTOR_OPS = (
    *("VADD", "VMUL", "VRESCALE", "VADDS", "VSIGMOID", "VTANH", "VLUT", "VCOPY", "VFILL"),
    "VARGMAX",
)
SCALAR_OPS = ("ADD", "MUL")
BRANCHES = ("BEQ", "BNE", "BLT", "BGE")
STEPS = (
    *("matvec", "matvec", "matvec", "vector", "vector", "vector", "load tile", "load tile"),
    *("scalar", "skip", "loop", "load", "store", "store reg", "load reg", "table"),
)


@dataclass(frozen=True)
class Recipe:
    """What a program is made of: a seed for its data, and (kind, choice) pairs for its steps."""

    seed: int
    steps: tuple[tuple[int, int], ...]
    ready_percent: tuple[int, int, int, int, int]


def recipes(max_steps: int = 14) -> st.SearchStrategy[Recipe]:
    """Recipes; smaller ones first."""
    step = st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 2**20 - 1))
    percent = st.sampled_from([100, 100, 80, 50, 20, 5])
    return st.builds(
        Recipe,
        seed=st.integers(0, 2**20 - 1),
        steps=st.lists(step, min_size=1, max_size=max_steps).map(tuple),
        ready_percent=st.tuples(percent, percent, percent, percent, percent),
    )


def random_recipe(seed: int, max_steps: int = 14) -> Recipe:
    """A recipe without hypothesis, for long runs."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, max_steps + 1))
    steps = tuple((int(rng.integers(len(STEPS))), int(rng.integers(2**20))) for _ in range(n))
    percents = tuple(int(p) for p in rng.choice([100, 100, 80, 50, 20, 5], 5))
    return Recipe(int(rng.integers(2**20)), steps, percents)  # type: ignore[arg-type]


@dataclass(frozen=True)
class TileData:
    """A random compressed matrix: its tile, and block and records in one blob."""

    columns: int
    image: bytes
    blob: bytes
    block_bytes: int


@dataclass(frozen=True)
class _Tile:
    """A tile in external memory."""

    columns: int
    tile_at: int
    tile_beats: int
    param_at: int
    param_beats: int
    block_bytes: int


@dataclass(frozen=True)
class Layout:
    """How a program divides the chip's memories: SRAM into slots, the others into halves."""

    slot_bytes: int
    slots: int
    bank_half: int
    param_half: int

    @classmethod
    def of(cls, p: ChipParams) -> "Layout":
        bus = p.bus_bytes
        slot_bytes = max(4 * bus, p.sram_bytes // 8 // bus * bus)
        return cls(
            slot_bytes=slot_bytes,
            slots=p.sram_bytes // slot_bytes,
            bank_half=p.bank_bytes // bus // 2,
            param_half=p.param_bytes // 2 // bus * bus,
        )


@lru_cache(maxsize=4 * TILES)
def tile_data(p: ChipParams, seed: int) -> TileData:
    """One of the TILES matrices that programs draw from; compressing them takes the time."""
    rng = np.random.default_rng(seed)
    layout = Layout.of(p)
    most = min(layout.slot_bytes, p.activation_entries)
    while True:
        rows = int(rng.integers(1, 40))
        widest = most if rng.random() < 0.3 else min(most, 48)
        columns = int(rng.integers(1, widest + 1))
        sparsity = rng.choice([0.0, 0.3, 0.75, 0.9, 0.98, 1.0])
        spread = int(rng.choice([1, 3, 30, 127]))
        weights = np.clip(np.rint(rng.laplace(0, spread, (rows, columns))), -128, 127)
        weights[rng.random((rows, columns)) < sparsity] = 0
        if rng.random() < 0.05:
            weights[:] = rng.choice([-128, 127, 1])
        weights = weights.astype(np.int8)
        dealt = _dealt(rng, weights, p)
        sets = choose_sets([(weights, dealt)], p.lanes, int(rng.choice(SETS)))
        packed = encode(weights, dealt, p.lanes, p.threads, sets)
        bank_words = packed.bank_words(p.bus_bytes)
        n_out = int(rng.integers(rows, rows + 8))
        records = np.zeros(rows, ROW_DTYPE)
        records["bias"] = rng.integers(-(2**20), 2**20, rows)
        if rng.random() < 0.1:
            records["bias"] = rng.integers(-(2**31), 2**31, rows)
        records["destination"] = rng.permutation(n_out)[:rows]
        shared = int(rng.integers(1, MAX_SCALES + 1)) if rng.random() < 0.7 else 0
        scales = _scales(rng, shared or rows)
        if shared:
            records["scale"] = rng.integers(0, shared, rows)
        raw = records.view(np.uint8).reshape(rows, -1)
        if not shared:
            raw = np.concatenate([raw, scales.view(np.uint8).reshape(rows, -1)], axis=1)
        block = pack_block(sets, scales if shared else scales[:0])
        blob = block + raw.tobytes()
        fits = bank_words <= layout.bank_half and len(blob) + LUT_BYTES <= layout.param_half
        if fits and n_out * 2 <= layout.slot_bytes:
            return TileData(columns, packed.tile(p.bus_bytes), blob, len(block))


def _dealt(rng: np.random.Generator, weights: np.ndarray, p: ChipParams) -> list[np.ndarray]:
    """The compiler's deal, or one in any order to any slots."""
    if rng.random() < 0.5:
        return deal(np.maximum(1, np.count_nonzero(weights, axis=1)), p.slots)
    slot_of = rng.integers(0, rng.integers(1, p.slots + 1), len(weights))
    order = rng.permutation(len(weights))
    return [order[slot_of[order] == slot] for slot in range(p.slots)]


def _scales(rng: np.random.Generator, n: int) -> np.ndarray:
    scales = np.zeros(n, SCALE_DTYPE)
    scales["multiplier"] = rng.integers(2**30, 2**31, n)
    scales["shift"] = rng.integers(-20, 3, n)
    if rng.random() < 0.1:
        scales["multiplier"] = rng.choice([0, 1, 2**31 - 1], n)
        scales["shift"] = rng.choice([-31, -1, 0, 1, 29], n)
    return scales


@dataclass
class Program:
    """A program with everything that it needs to run."""

    params: ChipParams
    commands: list[Command]
    memory: np.ndarray
    schedule: BusSchedule
    sram: np.ndarray
    listing: list[str] = field(default_factory=list)

    def raw(self) -> bytes:
        return b"".join(encode_command(c) for c in self.commands)


class _Builder:
    def __init__(self, recipe: Recipe, params: ChipParams) -> None:
        self.p = params
        self.rng = np.random.default_rng(recipe.seed)
        self.memory = bytearray()
        self.commands: list[Command] = []
        bus = params.bus_bytes
        layout = Layout.of(params)
        self.slot_bytes, self.slots = layout.slot_bytes, layout.slots
        self.bank_half, self.param_half = layout.bank_half, layout.param_half
        self.loaded: list[_Tile | None] = [None, None]
        self.open: set[int] = set()
        self.tiles: list[_Tile] = []
        self.depth = 0
        self.table_at = self._place(self.rng.integers(0, 256, LUT_BYTES * 2, np.uint8).tobytes())
        for _ in range(int(self.rng.integers(1, 4))):
            self.tiles.append(self._tile())
        self.area = len(self.memory)
        self.area_bytes = 4096 + 16 * bus
        data = self.rng.integers(0, 256, self.area_bytes, np.uint8)
        self._place(data.tobytes())

    def _place(self, data: bytes) -> int:
        bus = self.p.bus_bytes
        at = len(self.memory)
        self.memory += data.ljust(-(-len(data) // bus) * bus, b"\0")
        return at

    def _tile(self) -> _Tile:
        data = tile_data(self.p, int(self.rng.integers(TILES)))
        image_at, blob_at = self._place(data.image), self._place(data.blob)
        bus = self.p.bus_bytes
        return _Tile(
            columns=data.columns,
            tile_at=image_at,
            tile_beats=len(data.image) // bus,
            param_at=blob_at,
            param_beats=-(-len(data.blob) // bus),
            block_bytes=data.block_bytes,
        )

    # --- steps ----------------------------------------------------------------------------------
    def emit(self, name: str, **values: int) -> None:
        self.commands.append(command(name, **{k: int(v) for k, v in values.items()}))

    def slot(self, rng: np.random.Generator) -> int:
        return int(rng.integers(self.slots)) * self.slot_bytes

    def wait(self, tags: set[int]) -> None:
        if tags & self.open:
            self.emit("WAIT", tags=sum(1 << t for t in tags))
            self.open -= tags

    def step(self, kind: str, choice: int) -> None:
        rng = np.random.default_rng(choice)
        getattr(self, "_" + kind.replace(" ", "_"))(rng)

    def _load_tile(self, rng: np.random.Generator) -> None:
        half = int(rng.integers(2))
        tile = self.tiles[int(rng.integers(len(self.tiles)))]
        self.wait({half})  # two open transfers into one place would race
        self.emit(
            *("LOAD_BANK",),
            ext=tile.tile_at,
            bank=half * self.bank_half,
            beats=tile.tile_beats,
            tag=half,
        )
        self.emit(
            *("LOAD_PARAM",),
            ext=tile.param_at,
            param=half * self.param_half,
            beats=tile.param_beats,
            tag=half,
        )
        self.open.add(half)
        self.loaded[half] = tile

    def _matvec(self, rng: np.random.Generator) -> None:
        half = int(rng.integers(2))
        if self.loaded[half] is None:
            self._load_tile(np.random.default_rng(half))
            half = next(h for h in (0, 1) if self.loaded[h] is not None)
        tile = self.loaded[half]
        assert tile is not None
        if rng.random() < 0.5:
            self._load_tile(np.random.default_rng(1 - half + 2 * int(rng.integers(1000))))
        tile = self.loaded[half]
        assert tile is not None
        self.wait({half})
        element = ElementType(int(rng.integers(2)))
        src = self.slot(rng)
        dst = self.slot(rng)
        while dst == src:
            dst = self.slot(rng)
        low, high = (-128, 127) if element is ElementType.INT8 else (-(2**15), 2**15 - 1)
        if rng.random() < 0.3:
            low, high = sorted(int(x) for x in rng.integers(low, high + 1, 2))
        self.emit(
            *("MATVEC",),
            dst=dst,
            columns=tile.columns,
            a=src,
            dst_type=element,
            bank=half * self.bank_half,
            lo=low,
            hi=high,
            a_zero=int(rng.integers(-128, 128)),
            dst_zero=int(rng.integers(-128, 128)),
            block=half * self.param_half,
            rows=half * self.param_half + tile.block_bytes,
        )

    def _vector(self, rng: np.random.Generator) -> None:
        p = self.p
        name = str(rng.choice(VECTOR_OPS))
        n = int(rng.integers(1, self.slot_bytes // 2 + 1))
        if rng.random() < 0.5:
            n = int(rng.integers(1, min(n, 3 * p.vector_elements) + 1))
        a, b, dst = self.slot(rng), self.slot(rng), self.slot(rng)
        values: dict[str, int] = {"n": n, "a": a, "dst": dst}
        types = {k: int(rng.integers(2)) for k in ("a_type", "b_type", "dst_type")}
        clamp = sorted(int(x) for x in rng.integers(-(2**15), 2**15, 2))
        scale = {
            "multiplier": int(rng.integers(2**30, 2**31)),
            "shift": int(rng.integers(-20, 8)),
        }
        if name == "VADD":
            values |= {"b": b, **scale, "shift": int(rng.integers(-25, 1))}
            for side in ("a", "b"):
                values[f"{side}_multiplier"] = int(rng.integers(2**30, 2**31))
                values[f"{side}_shift"] = int(rng.integers(-10, 1))
            for key in ("a_zero", "b_zero", "dst_zero"):
                values[key] = int(rng.integers(-128, 128))
            values["lo"], values["hi"] = sorted(int(x) for x in rng.integers(-128, 128, 2))
        elif name in ("VMUL", "VRESCALE"):
            if types["dst_type"] == 0:
                clamp = sorted(int(x) for x in rng.integers(-128, 128, 2))
            values |= {**types, **scale, "lo": clamp[0], "hi": clamp[1]}
            values |= {k: int(rng.integers(-128, 128)) for k in ("a_zero", "dst_zero")}
            if name == "VMUL":
                values |= {"b": b, "b_zero": int(rng.integers(-128, 128))}
                # The destination may be a source only if elements line up.
                types["dst_type"] = values["dst_type"]
            else:
                del values["b_type"]
        elif name == "VADDS":
            values["b"] = b
        elif name in ("VSIGMOID", "VTANH"):
            multiplier = int(rng.choice([3, 6, 12, 3 * 256, 16384, 24575]))
            shift = 0 if multiplier < 1000 else int(rng.integers(0, 16))
            values |= {"multiplier": multiplier, "shift": shift}
        elif name == "VCOPY":
            values["a_type"] = types["a_type"]
        elif name == "VFILL":
            low = -128 if types["dst_type"] == 0 else -(2**15)
            values = {
                **{"n": n, "dst": dst, "dst_type": types["dst_type"]},
                "imm": int(rng.integers(low, -low)),
            }
        elif name == "VARGMAX":
            values = {"n": n, "a": a, "rd": int(rng.choice(SCRATCH))}
        if name not in ("VFILL", "VARGMAX"):
            self._separate(name, values)
        self.emit(name, **values)

    def _separate(self, name: str, values: dict[str, int]) -> None:
        """A destination of another type than a source must not lie on it."""
        fixed = {"VADD": 0, "VLUT": 0, "VADDS": 1, "VSIGMOID": 1, "VTANH": 1}
        own = fixed.get(name, values.get("a_type", 0) if name == "VCOPY" else None)
        dst_type = own if own is not None else values["dst_type"]
        for side in ("a", "b"):
            if side in values:
                side_type = own if own is not None else values[f"{side}_type"]
                if side_type != dst_type and values[side] == values["dst"]:
                    values[side] = (values[side] + self.slot_bytes) % (self.slots * self.slot_bytes)

    def _scalar(self, rng: np.random.Generator) -> None:
        rd, rs1 = int(rng.choice(SCRATCH)), int(rng.integers(8))
        imm = int(rng.choice([0, 1, -1, 5, 1000, -(2**31), 2**31 - 1, 123456789]))
        if rng.random() < 0.5:
            self.emit("MUL", rd=rd, rs1=rs1, imm=imm)
        else:
            self.emit("ADD", rd=rd, rs1=rs1, rs2=int(rng.integers(8)), imm=imm)

    def _skip(self, rng: np.random.Generator) -> None:
        """A branch over a vector command: both ways are valid."""
        at = len(self.commands)
        self.emit("HALT")
        self._vector(rng)
        self.commands[at] = command(
            str(rng.choice(BRANCHES)),
            rs1=int(rng.integers(8)),
            rs2=int(rng.integers(8)),
            imm=int(rng.choice([0, 1, -5])),
            target=len(self.commands),
        )

    def _loop(self, rng: np.random.Generator) -> None:
        if self.depth == len(COUNTERS):
            return
        counter = COUNTERS[self.depth]
        self.depth += 1
        self.emit("ADD", rd=counter, imm=int(rng.integers(1, 4)))
        top = len(self.commands)
        # What the body multiplies it loads itself: a later round must not meet another tile.
        self.loaded = [None, None]
        for _ in range(int(rng.integers(1, 3))):
            self.step(str(rng.choice(STEPS)), int(rng.integers(2**20)))
        self.wait(set(self.open))  # the body starts again with nothing open
        self.emit("ADD", rd=counter, rs1=counter, imm=-1)
        self.emit("BNE", rs1=counter, target=top)
        self.depth -= 1

    def _external(self, rng: np.random.Generator, beats: int) -> int:
        last = (self.area_bytes // self.p.bus_bytes - beats) * self.p.bus_bytes
        at = int(rng.integers(0, last // self.p.bus_bytes + 1)) * self.p.bus_bytes
        return self.area + at

    def _load(self, rng: np.random.Generator) -> None:
        beats = int(rng.integers(1, self.slot_bytes // self.p.bus_bytes + 1))
        ext = self._external(rng, beats)
        if rng.random() < 0.3:
            register = int(rng.choice(SCRATCH))
            self.emit("ADD", rd=register, imm=ext)
            self.emit("LOAD", rs1=register, sram=self.slot(rng), beats=beats)
        else:
            self.emit("LOAD", ext=ext, sram=self.slot(rng), beats=beats)

    def _store(self, rng: np.random.Generator) -> None:
        beats = int(rng.integers(1, self.slot_bytes // self.p.bus_bytes + 1))
        self.emit("STORE", ext=self._external(rng, beats), sram=self.slot(rng), beats=beats)

    def _store_reg(self, rng: np.random.Generator) -> None:
        at = self._external(rng, 1) + 4 * int(rng.integers(self.p.bus_bytes // 4))
        self.emit("STORE_REG", ext=at, rs2=int(rng.integers(8)))

    def _load_reg(self, rng: np.random.Generator) -> None:
        at = self._external(rng, 1) + 4 * int(rng.integers(self.p.bus_bytes // 4))
        self.emit("LOAD_REG", rd=int(rng.choice(SCRATCH)), ext=at)

    def _table(self, rng: np.random.Generator) -> None:
        """A table from the end of a parameter half, loaded for the purpose."""
        half = int(rng.integers(2))
        bus = self.p.bus_bytes
        param = (half * self.param_half + self.param_half - LUT_BYTES) // bus * bus
        tag = 2 + half
        self.emit(
            *("LOAD_PARAM",),
            ext=self.table_at + bus * int(rng.integers(LUT_BYTES // bus)),
            param=param,
            beats=LUT_BYTES // bus,
            tag=tag,
        )
        self.open.add(tag)
        self.wait({tag})
        self.emit("TABLE", param=param)


def build(recipe: Recipe, params: ChipParams) -> Program:
    """The program of a recipe on a chip."""
    builder = _Builder(recipe, params)
    for kind, choice in recipe.steps:
        builder.step(STEPS[kind], choice)
    if builder.open:
        builder.wait(set(builder.open))
    builder.emit("HALT")
    rng = np.random.default_rng(recipe.seed + 1)
    patterns = []
    for percent in recipe.ready_percent:
        pattern = rng.random(int(rng.integers(1, 64))) * 100 < percent
        pattern[int(rng.integers(len(pattern)))] = True
        patterns.append(pattern)
    return Program(
        params,
        builder.commands,
        np.frombuffer(bytes(builder.memory), np.uint8).copy(),
        BusSchedule(*patterns),
        rng.integers(0, 256, params.sram_bytes, np.uint8),
        [f"{pc}: {c}" for pc, c in enumerate(builder.commands)],
    )
