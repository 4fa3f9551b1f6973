"""Random programs for the chip: commands, weights, memory image and bus schedule.

A recipe is a few small integers per step, so that hypothesis shrinks a failing program well. A tame
program is valid: every address fits, nothing is read while it loads, loops end. A wild one takes
operands from everywhere, constants of the full width of their fields, addresses that wrap, and may
be damaged; it may stop in error, or run without end. All is up for grabs in both: shapes, sparsity,
overlap of transfers with compute, branches, several starts.
"""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import strategies as st

from npu.chip.isa import COMMAND_BYTES, OPCODES, TAGS, Command, command, decode
from npu.chip.isa import encode as encode_command
from npu.chip.memory import BusSchedule, WriteOrder
from npu.chip.params import ChipParams
from npu.chip.timing import SUMS
from npu.chip.weight_format import LUT_BYTES
from npu.errors import ImageError
from tests.lockstep import scalars
from tests.lockstep.places import Places
from tests.lockstep.products import Tile, matvec
from tests.lockstep.scalars import COUNTERS, SCRATCH
from tests.lockstep.tiles import TILES, Layout, tile_data
from tests.lockstep.walks import MOST_ROUNDS, absurd_loop, random_walks

VECTOR_OPS = tuple(name for name, op in OPCODES.items() if op.has("looped"))
BRANCHES = ("BEQ", "BNE", "BLT", "BGE")
# How often each comes: a seed picks one.
STEPS = (
    "matvec",
    "matvec",
    "matvec",
    "vector",
    "vector",
    "vector",
    "load tile",
    "load tile",
    "results",
    "number",
    "skip",
    "loop",
    "load",
    "store",
    "store reg",
    "load reg",
    "table",
    "wait",
    "halt",
)
# Where damage may be: the commands, or what the program loads.
TARGETS = ("program", "memory")


@dataclass(frozen=True)
class Recipe:
    """What a program is made of: a seed for its data, and (kind, choice) pairs for its steps.

    `damage`: (index of TARGETS, place, bit), places modulo what there is.
    """

    seed: int
    steps: tuple[tuple[int, int], ...]
    ready_percent: tuple[int, int, int, int, int]
    wild: bool = False
    damage: tuple[tuple[int, int, int], ...] = ()


def recipes(max_steps: int = 14) -> st.SearchStrategy[Recipe]:
    """Recipes without damage; smaller ones first."""
    step = st.tuples(st.integers(0, len(STEPS) - 1), st.integers(0, 2**20 - 1))
    percent = st.sampled_from([100, 100, 80, 50, 20, 5])
    return st.builds(
        Recipe,
        seed=st.integers(0, 2**20 - 1),
        steps=st.lists(step, min_size=1, max_size=max_steps).map(tuple),
        ready_percent=st.tuples(percent, percent, percent, percent, percent),
        wild=st.booleans(),
    )


def random_recipe(seed: int, damaged: bool | None = None, max_steps: int = 14) -> Recipe:
    """A recipe without hypothesis, for long runs; None: a quarter is damaged."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, max_steps + 1))
    steps = tuple((int(rng.integers(len(STEPS))), int(rng.integers(2**20))) for _ in range(n))
    percents = tuple(int(p) for p in rng.choice([100, 100, 80, 50, 20, 5], 5))
    data, wild = int(rng.integers(2**20)), bool(rng.random() < 0.5)
    hit = rng.random() < 0.25
    damage = tuple(
        (int(rng.integers(len(TARGETS))), int(rng.integers(2**20)), int(rng.integers(8)))
        for _ in range(int(rng.choice([1, 1, 2, 4])))
    )
    if not (hit if damaged is None else damaged):
        damage = ()
    return Recipe(data, steps, percents, wild, damage)  # type: ignore[arg-type]


@dataclass
class Program:
    """A program with everything that it needs to run.

    Attributes
    ----------
    starts : (first command, arguments), one after the other.
    commands : of the program, as bytes.
    """

    params: ChipParams
    commands: list[bytes]
    starts: list[tuple[int, dict[int, int]]]
    memory: np.ndarray
    schedule: BusSchedule
    sram: np.ndarray

    def raw(self) -> bytes:
        return b"".join(self.commands)

    @property
    def listing(self) -> list[str]:
        lines = [f"starts: {self.starts}"]
        for pc, raw in enumerate(self.commands):
            try:
                lines.append(f"{pc}: {decode(raw)}")
            except ImageError as error:
                lines.append(f"{pc}: {error}")
        return lines


@dataclass
class _Builder:
    recipe: Recipe
    p: ChipParams
    commands: list[Command] = field(default_factory=list)
    memory: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.recipe.seed)
        bus = self.p.bus_bytes
        self.layout = Layout.of(self.p)
        self.places = Places(self.p, self.layout, self.recipe.wild)
        self.loaded: list[Tile | None] = [None, None]
        # Whose codes the lanes hold, None where that is not known.
        self.codes: Tile | None = None
        # Tags of the transfers that may be open, by what they fill.
        self.open: dict[str, int] = {}
        self.entries = [0]
        self.tiles: list[Tile] = []
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

    def _tile(self) -> Tile:
        data = tile_data(self.p, int(self.rng.integers(TILES)))
        image_at, blob_at = self._place(data.image), self._place(data.blob)
        bus = self.p.bus_bytes
        return Tile(
            columns=data.columns,
            places=data.places,
            tile_at=image_at,
            tile_beats=len(data.image) // bus,
            param_at=blob_at,
            param_beats=-(-len(data.blob) // bus),
            block_bytes=data.block_bytes,
        )

    # --- steps ----------------------------------------------------------------------------------
    def emit(self, name: str, **values: int) -> None:
        self.commands.append(command(name, **{k: int(v) for k, v in values.items()}))

    def rare(self, rng: np.random.Generator, probability: float) -> bool:
        """Whether to do something that no tame program does."""
        return self.recipe.wild and rng.random() < probability

    def any_of(self, rng: np.random.Generator, name: str, key: str) -> int:
        """Any value that a field holds, the ends more often."""
        low, high = OPCODES[name].field(key).range
        if rng.random() < 0.3:
            return int(rng.choice([low, high, high - 1, low + 1, 0]))
        return int(rng.integers(low, high + 1))

    def limits(self, rng: np.random.Generator, low: int, high: int) -> dict[str, int]:
        """`lo` and `hi` of a clamp, in order for tame programs."""
        lo, hi = (int(x) for x in rng.integers(low, high + 1, 2))
        return (
            {"lo": lo, "hi": hi} if self.rare(rng, 0.2) else {"lo": min(lo, hi), "hi": max(lo, hi)}
        )

    def wait(self, *places: str, also: int = 0) -> None:
        """Wait until nothing fills the places."""
        tags = {self.open[place] for place in places if place in self.open}
        if tags:
            self.emit("WAIT", tags=sum(1 << t for t in tags) | also)
            self.open = {k: t for k, t in self.open.items() if t not in tags and not also >> t & 1}

    def external(self, rng: np.random.Generator, name: str, at: int) -> dict[str, int]:
        """Fields of an external address: as it is, or from a register, around 2^32 where wild."""
        if self.rare(rng, 0.05):
            at = self.places.external(rng, len(self.memory))
        if rng.random() >= 0.3:
            return {"ext": at}
        register = int(rng.choice(SCRATCH))
        base = int(rng.integers(-(2**31), 2**31)) if self.recipe.wild else min(at, 1000)
        self.emit("ADD", rd=register, imm=base)
        return {"rs1": register, "ext": (at - base) % 2**32}

    def tag(self, rng: np.random.Generator) -> int:
        return int(rng.integers(TAGS))

    def step(self, kind: str, choice: int) -> None:
        rng = np.random.default_rng(choice)
        getattr(self, "_" + kind.replace(" ", "_"))(rng)

    def _load_tile(self, rng: np.random.Generator) -> None:
        half = int(rng.integers(2))
        tile = self.tiles[int(rng.integers(len(self.tiles)))]
        # Two open transfers into one place would race.
        self.wait(f"bank{half}", f"param{half}", f"table{half}")
        bank, param = half * self.layout.bank_half, half * self.layout.param_half
        loads = (
            ("LOAD_BANK", "bank", bank, tile.tile_at, tile.tile_beats),
            ("LOAD_PARAM", "param", param, tile.param_at, tile.param_beats),
        )
        for name, key, place, at, beats in loads:
            if self.rare(rng, 0.03):
                beats = int(rng.choice([0, 1, beats + 1, beats - 1]))
            if self.rare(rng, 0.03):
                place = self.any_of(rng, name, key)
            tag = self.tag(rng)
            where = self.external(rng, name, at) | {key: place}
            self.emit(name, **where, beats=beats, tag=tag)
            self.open[f"{key}{half}"] = tag
        self.loaded[half] = tile

    def _matvec(self, rng: np.random.Generator) -> None:
        half = int(rng.integers(2))
        if self.loaded[half] is None:
            self._load_tile(np.random.default_rng(half))
            half = next(h for h in (0, 1) if self.loaded[h] is not None)
        if rng.random() < 0.5:
            self._load_tile(np.random.default_rng(1 - half + 2 * int(rng.integers(1000))))
        tile = self.loaded[half]
        assert tile is not None
        if not self.rare(rng, 0.03):
            self.wait(f"bank{half}", f"param{half}", f"table{half}")
        matvec(self, rng, tile, half)

    def _vector(self, rng: np.random.Generator) -> None:
        p = self.p
        name = str(rng.choice(VECTOR_OPS))
        n = int(rng.integers(1, self.layout.slot_bytes // 2 + 1))
        if rng.random() < 0.5:
            n = int(rng.integers(1, min(n, 3 * p.vector_elements) + 1))
        if self.rare(rng, 0.02):
            n = int(rng.choice([0, p.sram_bytes, 65535]))
        known = {f.name for f in OPCODES[name].fields}
        types = {k: int(rng.integers(2)) for k in ("a_type", "b_type", "dst_type") if k in known}
        values: dict[str, int] = {"n": n, **types}
        if "rd" in known:
            values["rd"] = int(rng.choice(SCRATCH))
        if "multiplier" in known and "lo" in known:
            values |= self._constants(rng, name, values.get("dst_type", 0))
        elif name in ("VSIGMOID", "VTANH"):
            multiplier = int(rng.choice([3, 6, 12, 3 * 256, 16384, 24575]))
            shift = 0 if multiplier < 1000 else int(rng.integers(0, 16))
            values |= {"multiplier": multiplier, "shift": shift}
        elif name == "VFILL":
            low = -128 if types["dst_type"] == 0 else -(2**15)
            values["imm"] = int(rng.integers(low, -low))
        if self.recipe.wild and rng.random() < 0.5:
            for key in ("multiplier", "shift", "imm", "lo", "hi"):
                if key in known and rng.random() < 0.5:
                    values[key] = self.any_of(rng, name, key)
            for key in known:
                if key.endswith(("_zero", "_multiplier", "_shift")) and rng.random() < 0.5:
                    values[key] = self.any_of(rng, name, key)
        if name == "VDOT" or rng.random() < 0.4:
            values |= self._loops(rng, name, values)
        else:
            values |= self.places.operands(rng, name, values)
        self.emit(name, **scalars.relative(self, rng, name, values))

    def _loops(self, rng: np.random.Generator, name: str, values: dict[str, int]) -> dict[str, int]:
        """Sets the strides of a looped command; its places and lengths."""
        fixed = {key: value for key, value in values.items() if key != "n"}
        loop, places = random_walks(rng, self.p, name, fixed, most=int(rng.choice([9, 60, 300])))
        if self.rare(rng, 0.05):
            loop |= absurd_loop(rng)
        if not self.rare(rng, 0.05):
            self.emit("VLOOP", **loop)
        if self.rare(rng, 0.05):
            places |= self.places.operands(rng, name, values | places)
        return {**places, "looped": 1}

    def _constants(self, rng: np.random.Generator, name: str, dst_type: int) -> dict[str, int]:
        """Zero points, scales and limits as a compiler makes them."""
        values = {"multiplier": int(rng.integers(2**30, 2**31))}
        sums = name in SUMS
        values["shift"] = int(rng.integers(-25, 1) if sums else rng.integers(-20, 8))
        for key in ("a_zero", "b_zero", "dst_zero"):
            if name != "VRESCALE" or key != "b_zero":
                values[key] = int(rng.integers(-128, 128))
        if sums:
            for side in ("a", "b"):
                values[f"{side}_multiplier"] = int(rng.integers(2**30, 2**31))
                values[f"{side}_shift"] = int(rng.integers(-10, 1))
        return values | self.limits(rng, *((-128, 127) if dst_type == 0 else (-(2**15), 2**15 - 1)))

    def _results(self, rng: np.random.Generator) -> None:
        scalars.results(self, rng)

    def _number(self, rng: np.random.Generator) -> None:
        scalars.number(self, rng)

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
            target=len(self.commands) if not self.rare(rng, 0.05) else int(rng.integers(1 << 16)),
        )

    def _loop(self, rng: np.random.Generator) -> None:
        if self.depth == len(COUNTERS):
            return
        counter = COUNTERS[self.depth]
        self.depth += 1
        self.emit("ADD", rd=counter, imm=int(rng.integers(1, 4)))
        top = len(self.commands)
        # What the body multiplies it loads itself: a later round must not meet another tile.
        self.loaded, self.codes = [None, None], None
        for _ in range(int(rng.integers(1, 3))):
            kind = str(rng.choice([kind for kind in STEPS if kind != "halt"]))
            self.step(kind, int(rng.integers(2**20)))
        self.wait(*self.open)  # the body starts again with nothing open
        self.emit("ADD", rd=counter, rs1=counter, imm=-1)
        if self.rare(rng, 0.05):
            self.emit("BEQ", target=top)  # without end
        self.emit("BNE", rs1=counter, target=top)
        self.codes = None
        self.depth -= 1

    def _area(self, rng: np.random.Generator, beats: int) -> int:
        """A place for some bus words."""
        bus = self.p.bus_bytes
        return self.area + int(rng.integers(0, self.area_bytes // bus - beats + 1)) * bus

    def _sram_transfer(self, rng: np.random.Generator, name: str) -> None:
        beats = int(rng.integers(1, self.layout.slot_bytes // self.p.bus_bytes + 1))
        ext = self.external(rng, name, self._area(rng, beats))
        sram = self.places.sram(rng, beats * self.p.bus_bytes, self.p.bus_bytes)
        if self.rare(rng, 0.02):
            beats = int(rng.choice([0, 1000, 2**24 - 1]))
        self.emit(name, **ext, sram=sram, beats=beats)

    def _load(self, rng: np.random.Generator) -> None:
        self._sram_transfer(rng, "LOAD")

    def _store(self, rng: np.random.Generator) -> None:
        self._sram_transfer(rng, "STORE")

    def _word(self, rng: np.random.Generator) -> int:
        return self._area(rng, 1) + 4 * int(rng.integers(self.p.bus_bytes // 4))

    def _store_reg(self, rng: np.random.Generator) -> None:
        ext = self.external(rng, "STORE_REG", self._word(rng))
        self.emit("STORE_REG", **ext, rs2=int(rng.integers(8)))

    def _load_reg(self, rng: np.random.Generator) -> None:
        ext = self.external(rng, "LOAD_REG", self._word(rng))
        self.emit("LOAD_REG", rd=int(rng.choice(SCRATCH)), **ext)

    def _table(self, rng: np.random.Generator) -> None:
        """A table from the end of a parameter half, loaded for the purpose."""
        half = int(rng.integers(2))
        bus = self.p.bus_bytes
        param = ((half + 1) * self.layout.param_half - LUT_BYTES) // bus * bus
        place, tag = f"table{half}", self.tag(rng)
        self.wait(place)
        ext = self.external(
            rng, "LOAD_PARAM", self.table_at + bus * int(rng.integers(LUT_BYTES // bus))
        )
        self.emit("LOAD_PARAM", **ext, param=param, beats=LUT_BYTES // bus, tag=tag)
        self.open[place] = tag
        self.wait(place)
        # What lies in front of it may be loading.
        if self.rare(rng, 0.1) and f"param{half}" not in self.open:
            param -= int(rng.choice([1, 8, 64]))
        self.emit("TABLE", param=max(0, param))

    def _wait(self, rng: np.random.Generator) -> None:
        tags = int(rng.integers(1 << TAGS))
        self.emit("WAIT", tags=tags)
        self.open = {place: tag for place, tag in self.open.items() if not tags >> tag & 1}

    def _halt(self, rng: np.random.Generator) -> None:
        """The end of a start, with transfers open; the next one begins behind it."""
        self.emit("HALT")
        self.open.clear()  # the next start waits for them
        self.codes = None
        self.entries.append(len(self.commands))


def _damaged(program: Program, damage: tuple[tuple[int, int, int], ...]) -> None:
    for target, place, bit in damage:
        if TARGETS[target] == "program":
            pc, at = divmod(place % len(program.raw()), COMMAND_BYTES)
            raw = bytearray(program.commands[pc])
            raw[at] ^= 1 << bit
            if not _lasts(raw):
                program.commands[pc] = bytes(raw)
        else:
            loaded = _loaded(program)
            program.memory[loaded[place % len(loaded)]] ^= 1 << bit


def _lasts(raw: bytes) -> bool:
    """Whether a command moves so much that a unit is busy for minutes of simulation."""
    try:
        cmd = decode(raw)
    except ImageError:
        return False
    if cmd.opcode.name == "VLOOP":
        return cmd.count_1 * cmd.count_2 > MOST_ROUNDS
    if cmd.values.get("looped"):
        return cmd.n >= 1 << 12
    return cmd.opcode.name == "LOAD_BANK" and cmd.beats >= 1 << 12


def _loaded(program: Program) -> np.ndarray:
    """Places in external memory that the program loads weights and parameters from."""
    places = [np.arange(len(program.memory))]
    for raw in program.commands:
        try:
            cmd = decode(raw)
        except ImageError:
            continue
        if cmd.opcode.name in ("LOAD_BANK", "LOAD_PARAM") and cmd.rs1 == 0:
            end = cmd.ext + cmd.beats * program.params.bus_bytes
            if cmd.ext < end <= len(program.memory):
                places.append(np.arange(cmd.ext, end))
    return np.concatenate(places[1:] or places)


def build(recipe: Recipe, params: ChipParams) -> Program:
    """The program of a recipe on a chip."""
    builder = _Builder(recipe, params)
    for kind, choice in recipe.steps:
        builder.step(STEPS[kind], choice)
    rng = np.random.default_rng(recipe.seed + 1)
    if rng.random() < 0.5:
        builder.wait(*builder.open)
    builder.emit("HALT")
    patterns = []
    for percent in recipe.ready_percent:
        pattern = rng.random(int(rng.integers(1, 64))) * 100 < percent
        pattern[int(rng.integers(len(pattern)))] = True
        patterns.append(pattern)
    # The host leaves its arguments, and what is in front of a start has run.
    starts = [
        (entry, {int(r): int(rng.integers(-(2**31), 2**31)) for r in rng.choice(SCRATCH, 2)})
        for entry in builder.entries
    ]
    if rng.random() < 0.3:
        starts.append(starts[int(rng.integers(len(starts)))])
    memory = np.frombuffer(bytes(builder.memory), np.uint8)
    # Behind the last whole bus word nothing answers.
    spare = int(rng.integers(params.bus_bytes)) if recipe.wild else 0
    program = Program(
        params,
        [encode_command(c) for c in builder.commands],
        starts,
        np.concatenate([memory, rng.integers(0, 256, spare, np.uint8)]),
        BusSchedule(*patterns, order=WriteOrder(recipe.seed % len(WriteOrder))),
        rng.integers(0, 256, params.sram_bytes, np.uint8),
    )
    _damaged(program, recipe.damage)
    return program
