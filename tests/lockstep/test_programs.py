"""Random programs on the twin: tame ones halt, and both ways of running them are the same."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings

from npu.chip.isa import OPCODES, TAGS, ElementType, command, decode
from npu.errors import MachineError
from npu.twin.machine import Machine
from npu.twin.products import MatVecUnit
from tests.lockstep.compare import CHIPS, run, shrink
from tests.lockstep.programs import STEPS, Recipe, build, random_recipe, recipes

CHIP = CHIPS["three lanes"]
# Constants whose whole width a wild program uses.
WIDE = ("zero", "shift", "multiplier")


@settings(max_examples=30)
@given(recipe=recipes())
def test_stepped_and_remembered_execution_agree(recipe):
    program = build(recipe, CHIP)
    fast, stepped = (run(program, Machine, step=step) for step in (False, True))
    assert fast.records == stepped.records, "\n".join(program.listing)
    assert (fast.ending, fast.at, fast.error) == (stepped.ending, stepped.at, stepped.error)
    if not recipe.wild:
        assert fast.ending == "halt", fast.error
    a, b = fast.machine, stepped.machine
    assert bytes(a.sram) == bytes(b.sram)
    assert bytes(a.memory.data) == bytes(b.memory.data)
    assert a.registers == b.registers
    assert a.counters == b.counters


def test_wild_programs_leave_nothing_out():
    """Every kind of operand and constant that the commands can hold comes."""
    seen = Counter()
    for seed in range(800):
        program = build(replace(random_recipe(seed, damaged=False), wild=True), CHIP)
        seen["starts"] += len(program.starts) > 2
        seen["odd memory"] += len(program.memory) % CHIP.bus_bytes != 0
        commands = [decode(raw) for raw in program.commands]
        for before, cmd in zip([command("HALT"), *commands], commands, strict=False):
            v, name = cmd.values, cmd.opcode.name
            unit = CHIP.vector_elements * (1 + (v.get("dst_type", 0) == ElementType.INT16))
            seen["off the grid"] += "dst" in v and v["dst"] % 256 != 0 and v["dst"] % unit == 0
            seen["misaligned"] += "a" in v and v["a"] % CHIP.vector_elements != 0
            seen["outside"] += "a" in v and v["a"] >= CHIP.sram_bytes
            seen["looped"] += v.get("looped", 0)
            seen["absurd strides"] += name == "VLOOP" and abs(v["a_2"]) > CHIP.sram_bytes
            seen["repeated elements"] += name == "VLOOP" and v["count_1"] > 1 and v["b_1"] == 0
            seen["lo > hi"] += "lo" in v and v["lo"] > v["hi"]
            seen["late tags"] += name == "LOAD_BANK" and v["tag"] >= TAGS // 2
            seen["masks"] += name == "WAIT" and v["tags"].bit_count() > 1
            seen["wraps"] += "ext" in v and v["rs1"] != 0 and v["ext"] >= 1 << 31
            seen["open at halt"] += name == "HALT" and before.opcode.name == "LOAD_PARAM"
            for key, value in v.items():
                if key.endswith(WIDE):
                    low, high = OPCODES[name].field(key).range
                    near = min(value - low, high - value) <= (high - low) // 8
                    seen[f"{name}.{key}"] += near
    for name, opcode in OPCODES.items():
        for constant in opcode.fields:
            assert not constant.name.endswith(WIDE) or f"{name}.{constant.name}" in seen
    for what, times in seen.items():
        assert times >= 5, what


def test_operands_that_are_checked_once_are_found(monkeypatch):
    """The fault that programs with operands on a grid did not see: a plan stands for its check.

    What would run unchecked is not run: it reads and writes anywhere.
    """
    check = MatVecUnit._check

    class Missed(Exception):
        pass

    def anywhere(self, cmd, block):
        v = cmd.values
        return None if v["windowed"] or v["raw"] or v["add"] else self._loaded.key(cmd)

    def lax(self, cmd):
        planned = not self._forgets and anywhere(self, cmd, None) in self._plans
        try:
            check(self, cmd)
        except MachineError as error:
            raise Missed if planned else error from None

    monkeypatch.setattr(MatVecUnit, "_check", lax)
    monkeypatch.setattr(MatVecUnit, "_key", anywhere)

    def missed(seed: int) -> bool:
        steps = tuple((STEPS.index("matvec"), 100 * seed + i) for i in range(8))
        program = build(Recipe(seed, steps, (100,) * 5, wild=True), CHIP)
        try:
            run(program, Machine)
        except Missed:
            return True
        return False

    assert any(missed(seed) for seed in range(500))


def test_a_program_shrinks_to_what_fails():
    recipe = random_recipe(0, damaged=True, max_steps=14)
    recipe = replace(recipe, steps=(*recipe.steps, (3, 7), (0, 1), (3, 7)), wild=True)
    small = shrink(recipe, lambda r: (3, 7) in r.steps and r.wild and len(r.damage) > 0)
    assert small.steps == ((3, 7),)
    assert small.wild and len(small.damage) == 1
    assert small.ready_percent == (100,) * 5
