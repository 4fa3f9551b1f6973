"""Matrix-vector commands on a chip's state, with the plans of those that have been seen before."""

from npu.chip import cost, timing, windows
from npu.chip.isa import Command, ElementType
from npu.chip.opcode import SUM_BYTES
from npu.chip.status import Status
from npu.chip.weight_format import PARAM_WORD
from npu.errors import MachineError
from npu.twin import matvec
from npu.twin.loaded import Key, Loaded
from npu.twin.matvec import Block, Plan, Product
from npu.twin.probe import ProductNote
from npu.twin.state import Done, State, require_inside
from npu.twin.sums import Sums, sums_of

# Weights of all plans together, a byte each: what is larger is decoded every time.
MAX_PLANNED_WEIGHTS = 1 << 27
# Plans bound to operands, about 1 KB each: further ones are bound anew.
MAX_BOUND = 1 << 16


class MatVecUnit:
    """Runs them.

    Parameters
    ----------
    loaded : what transfers have brought.
    forgets : decode every command's streams anew instead of keeping plans.
    """

    def __init__(self, state: State, loaded: Loaded, forgets: bool) -> None:
        self._state = state
        self._loaded = loaded
        self._forgets = forgets
        # Plans by what their command reads, and bound to the operands of a command.
        self._plans: dict[Key, Plan] = {}
        self._products: dict[tuple[int, tuple[int, ...], Key], Product] = {}
        self._planned_weights = 0
        self._held = cost.Held()
        self._block: Block | None = None

    @property
    def held(self) -> tuple[cost.Held, Block | None]:
        """What the commands behind find: window and positions, and the codes of the decoders."""
        return self._held, self._block

    def hold(self, held: cost.Held, block: Block | None) -> None:
        """Put back what `held` gave."""
        self._held, self._block = held, block

    def unbind(self) -> None:
        """There is another program."""
        self._products.clear()

    def run(self, pc: int, cmd: Command, start: int) -> Done:
        """Do command `pc`, whose first cycle is `start`. Raises MachineError."""
        if cmd.opcode.name != "MATVEC":
            return self._set_up(cmd, start)
        state = self._state
        block = self._block
        if not cmd.values["held"]:
            self._block = None
        # What is remembered says nothing about this command's operands.
        self._check(cmd)
        walk = self._walk(cmd)
        sums = sums_of(cmd, walk, self._state.params)
        key = None if self._forgets else self._key(cmd, block)
        product = self._known(pc, cmd, key, walk, sums)
        if product is None:
            product = self._made(cmd, key, start, block, walk, sums)
        else:
            state.dma.require_loaded(start, product.plan.spans)
        gated = product.run() if state.computes else 0
        plan = product.plan
        if state.probe is not None and plan.course is not None:
            turns_from = start + plan.work.cycles - plan.work.run_cycles - timing.MATVEC_END
            state.probe.products.append(ProductNote(start, turns_from, plan.course))
        self._block = plan.block
        work = plan.work
        c, events = state.counters, state.events
        c.matvec_cycles += work.cycles
        c.symbols += work.symbols
        c.macs += work.macs
        c.macs_gated += gated
        c.stalled_turns += work.stalled
        events.matvec_run_cycles += work.run_cycles
        events.matvec_turns += work.turns
        events.matvec_decode_cycles += work.decode_cycles
        events.matvec_positions += work.positions
        events.rows += work.rows
        events.bank_reads += work.bank_words
        events.activation_words += work.reads
        events.sram_reads += work.reads + (work.rows if sums is not None and sums.add else 0)
        events.sram_writes += work.rows
        events.param_reads += work.param_words
        written = product.target[product.elements] if state.observed else b""
        return start + work.cycles - 1, written, None

    def _set_up(self, cmd: Command, start: int) -> Done:
        """Hold a WINDOW or POSITIONS."""
        if wrong := windows.refused(cmd, self._state.params):
            raise MachineError(wrong, Status.ADDRESS)
        if cmd.opcode.name == "WINDOW":
            self._held = self._held._replace(window=cmd)
        else:
            self._held = self._held._replace(positions=cmd)
        cycles = cost.set_up(cmd, self._held)
        self._state.counters.matvec_cycles += cycles
        return start + cycles - 1, b"", None

    def _key(self, cmd: Command, block: Block | None) -> Key | None:
        """A name for all that a command's plan depends on, None if there is none."""
        key = self._loaded.key(cmd)
        if key is None:
            return None
        key = (*key, cmd.a, cmd.dst, block if cmd.values["held"] else None)
        key = (*key, *(cmd.values[name] for name in ("raw", "add", "sums", "dst_type")))
        if not cmd.values["windowed"]:
            return key
        window, positions = self._held.window, self._held.positions
        assert window is not None and positions is not None, "checked"
        return (*key, *window.values.values(), *positions.values.values())

    def _walk(self, cmd: Command) -> windows.Walk | None:
        """The walk of a windowed command. Raises MachineError where there is no room for it."""
        if not cmd.values["windowed"]:
            return None
        window, positions = self._held.window, self._held.positions
        if window is None or positions is None:
            raise MachineError("matvec: no window or no positions are held", Status.ADDRESS)
        walk = windows.walk(cmd, window, positions, self._state.params)
        if walk.columns != cmd.columns:
            raise MachineError(
                f"matvec: {cmd.columns} columns, its window has {walk.columns}", Status.ADDRESS
            )
        if cmd.dst_type and (walk.dst_x | walk.dst_y) & 1:
            raise MachineError(
                f"matvec: steps of {walk.dst_x} and {walk.dst_y} bytes between int16 elements",
                Status.ADDRESS,
            )
        if walk.positions > matvec.MOST_POSITIONS:
            raise MachineError(f"matvec: {walk.positions} positions, more than anybody waits for")
        return walk

    def _known(
        self,
        pc: int,
        cmd: Command,
        key: Key | None,
        walk: windows.Walk | None,
        sums: Sums | None,
    ) -> Product | None:
        """What is remembered of a command that finds `key` at its addresses."""
        if key is None:
            return None
        place = pc, cmd.addresses, key
        product = self._products.get(place)
        if product is None and key in self._plans:
            product = matvec.bind(cmd, self._plans[key], self._state.sram, walk, sums)
            if product is not None:
                if len(self._products) >= MAX_BOUND:
                    self._products.clear()
                self._products[place] = product
        return product

    def _made(
        self,
        cmd: Command,
        key: Key | None,
        start: int,
        held: Block | None,
        walk: windows.Walk | None,
        sums: Sums | None,
    ) -> Product:
        """A product from what the memories hold, its plan kept if there is a name for it."""
        state, p = self._state, self._state.params
        reads = matvec.reads(cmd, p, state.banks, state.param, held)
        state.dma.require_loaded(start, reads.spans)
        room = matvec.Room(matvec.room_of(cmd, state.sram, walk), state.last - start, sums)
        self._block = block = matvec.block_of(cmd, state.param, held)
        looked_at = state.probe is not None
        plan = matvec.plan(
            cmd, p, reads, block, state.banks, state.param, room, self._held, looked_at
        )
        if key is not None and self._loaded.holds(key, reads):
            weights = self._planned_weights + plan.weights.size
            if weights <= MAX_PLANNED_WEIGHTS:
                self._plans[key], self._planned_weights = plan, weights
        product = matvec.bind(cmd, plan, state.sram, walk, sums)
        assert product is not None, "the plan's elements have room"
        return product

    def _check(self, cmd: Command) -> None:
        p, state = self._state.params, self._state
        if not 0 < cmd.columns <= p.activation_entries:
            raise MachineError(
                f"matvec: {cmd.columns} columns, a lane's activation copy holds 1 to "
                f"{p.activation_entries}",
                Status.ADDRESS,
            )
        if not cmd.values["windowed"]:
            require_inside(cmd.a, cmd.columns, p.bus_bytes, state.sram, "SRAM")
        require_inside(cmd.dst, 0, ElementType(cmd.dst_type).n_bytes, state.sram, "SRAM")
        if (cmd.values["raw"] or cmd.values["add"]) and cmd.sums % SUM_BYTES:
            raise MachineError(f"matvec: sums at {cmd.sums:#x}, no multiple of 4", Status.ADDRESS)
        require_inside(cmd.rows, 0, PARAM_WORD, state.param, "parameter memory")
