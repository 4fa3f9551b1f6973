"""Programs that hit the functional bins: random ones first, then ones made for what is missing.

The twin says in milliseconds what a program hits. One that hits anything new is run on the RTL, and
only when that is equal to the twin in every record do its bins count.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product

from npu.chip.isa import BASES, BY_CODE, OPCODES, Command, command, decode, encode
from npu.chip.memory import WriteOrder
from npu.chip.params import ChipParams
from npu.twin.machine import Machine
from tests.coverage import bins
from tests.coverage.bins import Bin
from tests.lockstep.compare import Run, against_rtl, run
from tests.lockstep.programs import Program, build, random_recipe
from tests.naive import wrap

TRIES = 40
"""Commands of an opcode that are changed to hit a bin, before it is given up."""
POOL = 120
"""Commands of an opcode that are kept to be changed."""
BREAKS: tuple[dict[str, int], ...] = (
    *({key: 0} for key in ("n", "beats", "columns", "ny", "nx", "count_x", "count_1")),
    *({key: 0} for key in ("length", "count_y", "count_2")),
    {"type": 3},
    {"imm": 1 << 24, "rs1": 0},
    {"ext": 1},
    {"param": 1},
)
"""Values with which a command stops the chip, whatever its other fields hold."""
HALT = encode(command("HALT"))
SCRATCH = 5
"""Register that takes what makes an external address an end of its field."""


@dataclass
class Search:
    """What has been hit, and what there is to make more of.

    Attributes
    ----------
    hit : bins, and the first program that hit each.
    pool : by opcode, programs that halt and the index of such a command in them.
    ran : programs on the RTL.
    """

    params: ChipParams
    check: Callable[[Program, Run], str | None] = against_rtl
    hit: dict[Bin, Program] = field(default_factory=dict)
    pool: dict[str, list[tuple[Program, int]]] = field(default_factory=lambda: defaultdict(list))
    ran: int = 0

    def trial(self, program: Program) -> Run:
        """Run a program; what is new in it counts if the RTL agrees.

        Raises AssertionError with the difference where it does not.
        """
        twin = run(program, Machine)
        # What is undefined or cut says nothing of the RTL.
        if twin.ending in ("undefined", "endless"):
            return twin
        new = bins.hits(program, twin) - self.hit.keys()
        if new:
            difference = self.check(program, twin)
            assert difference is None, difference
            self.ran += 1
            self.hit |= dict.fromkeys(new, program)
        return twin

    def random(self, seeds: Iterable[int]) -> None:
        """Random programs, whose commands are kept."""
        for seed in seeds:
            program = build(random_recipe(seed), self.params)
            twin = self.trial(program)
            if twin.ending == "undefined":
                continue
            for pc in dict.fromkeys(record.pc for record in twin.records):
                kept = self.pool[decode(program.commands[pc]).opcode.name]
                if len(kept) < POOL:
                    kept.append((program, pc))
            if twin.at is not None and twin.at < len(program.commands):
                opcode = BY_CODE.get(program.commands[twin.at][0])
                kept = self.pool[f"{opcode.name if opcode else 'unknown'} {twin.ending}"]
                if len(kept) < POOL:
                    kept.append((program, twin.at))

    def missing(self, kind: str) -> list[Bin]:
        """The bins of a kind that nothing has hit."""
        return [each for each in bins.every_bin() if each[0] == kind and each not in self.hit]

    def directed(self) -> None:
        """Change commands of the pool, one field each, until every bin is hit or given up."""
        for kind in ("corner", "place", "flags"):
            for each in self.missing(kind):
                if each in self.hit:
                    continue
                for program in self._made_for(each):
                    self.trial(program)
                    if each in self.hit:
                        break
        self._illegal()
        self._schedules()

    def _made_for(self, wanted: Bin) -> Iterator[Program]:
        kind, name, what, *_ = wanted
        if wanted[2:] == ("n", "high", "OK"):
            for program, pc in self.pool[name][:TRIES]:
                yield _standing(program, pc, decode(program.commands[pc]))
        for program, pc in self.pool[name][:TRIES]:
            cmd = decode(program.commands[pc])
            memory_bytes = len(program.memory)
            if kind == "flags":
                values = {flag: int(flag in what.split("+")) for flag in bins.flags(cmd.opcode)}
                yield from _with(program, pc, cmd, values)
                continue
            more = BREAKS if wanted[-1] == "error" else ({"n": program.params.vector_elements},)
            for sizes in ({}, {"n": 1}, {"beats": 1}, *more):
                if what in sizes or not all(cmd.opcode.has(key) for key in sizes):
                    continue
                changed = Command(cmd.opcode, cmd.values | sizes)
                changed_sizes = dict(sizes)
                if kind == "corner":
                    value = bins.corners(cmd.opcode.field(what))[wanted[3]]
                else:
                    last = bins.last_place(changed, what, program.params, memory_bytes)
                    value = last if wanted[3] == "last" else 0
                    at_place = {"looped": 0, "rs1": 0, **{f"{key}_rel": 0 for key in BASES}}
                    changed_sizes |= {k: v for k, v in at_place.items() if cmd.opcode.has(k)}
                if value >= 0 or cmd.opcode.field(what).signed:
                    yield from _with(program, pc, cmd, changed_sizes | {what: value})

    def _illegal(self) -> None:
        """A stray bit in a command of every opcode that has room for one, and opcodes of nobody."""
        for name, opcode in OPCODES.items():
            for program, pc in self.pool[name][:1]:
                for bit in bins.stray_bits(opcode)[-1:]:
                    raw = int.from_bytes(program.commands[pc], "little") | 1 << bit
                    self.trial(_ending(program, pc, raw.to_bytes(32, "little")))
        program, pc = self.pool["HALT"][0]
        for code in sorted(set(range(256)) - BY_CODE.keys()):
            self.trial(_ending(program, pc, bytes([code]) + bytes(31)))

    def _schedules(self) -> None:
        """Every ending of every opcode, on buses of every readiness and order."""
        for kind, name, status, ready, order in self.missing("status"):
            wanted = (kind, name, status, ready, order)
            if wanted in self.hit:
                continue
            for program in self._ended(name, status):
                schedule = bins.schedule_of(ready, WriteOrder[order], len(self.hit))
                self.trial(replace(program, schedule=schedule))
                if wanted in self.hit:
                    break

    def _ended(self, name: str, status: str) -> list[Program]:
        """Programs in which a command of this opcode has ended so."""
        for ready, order in product(bins.READINESS, WriteOrder):
            program = self.hit.get(("status", name, status, ready, order.name))
            if program is not None:
                return [program] * 2
        return []


def _ending(program: Program, pc: int, *raw: bytes) -> Program:
    """A program that ends with these commands, at and behind a place, and a HALT."""
    return replace(program, commands=[*program.commands[:pc], *raw, HALT])


def _standing(program: Program, pc: int, cmd: Command) -> Program:
    """The program up to a command that has as many elements as it can say, all in one place."""
    far = program.params.sram_bytes // 2
    places = {"a": 0, "b": 0, "dst": far, "n": 65535, "looped": 1}
    places |= {f"{operand}_rel": 0 for operand in BASES}
    moved = Command(
        cmd.opcode, cmd.values | {key: at for key, at in places.items() if cmd.opcode.has(key)}
    )
    loop = command("VLOOP", count_1=1, count_2=1)
    return _ending(program, pc, encode(loop), encode(moved))


def _with(program: Program, pc: int, cmd: Command, values: dict[str, int]) -> Iterator[Program]:
    """The program up to a command with other values, and with its addresses made up for them."""
    changed = Command(cmd.opcode, cmd.values | values)
    yield _ending(program, pc, encode(changed))
    for operand, register in BASES.items():
        if operand in values and cmd.opcode.has(f"{operand}_rel"):
            base = cmd.values[operand] - values[operand]
            moved = Command(cmd.opcode, changed.values | {f"{operand}_rel": 1})
            add = command("ADD", rd=register, imm=wrap(base))
            yield _ending(program, pc, encode(add), encode(moved))
    # Behind a register that takes the address back to where it was, or to the first one.
    for key in ("ext", "imm"):
        if key in values and (key == "ext" or cmd.opcode.has("type")):
            back = cmd.values["ext"] if key == "ext" and not cmd.values["rs1"] else 0
            add = command("ADD", rd=SCRATCH, imm=wrap(back - values[key]))
            moved = Command(cmd.opcode, changed.values | {"rs1": SCRATCH})
            yield _ending(program, pc, encode(add), encode(moved))


def search(params: ChipParams, programs: int) -> Search:
    """Random programs, and then directed ones."""
    found = Search(params)
    found.random(range(programs))
    found.directed()
    return found
