"""Matrix-vector commands on a chip's state, with the plans of those that have been seen before."""

from npu.chip.isa import Command, ElementType
from npu.chip.status import Status
from npu.chip.weight_format import PARAM_WORD
from npu.errors import MachineError
from npu.twin import matvec
from npu.twin.loaded import Key, Loaded
from npu.twin.matvec import Plan, Product
from npu.twin.state import Done, State, require_inside

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

    def unbind(self) -> None:
        """There is another program."""
        self._products.clear()

    def run(self, pc: int, cmd: Command, start: int) -> Done:
        """Do command `pc`, whose first cycle is `start`. Raises MachineError."""
        state = self._state
        # What is remembered says nothing about this command's operands.
        self._check(cmd)
        key = None if self._forgets else self._loaded.key(cmd)
        product = self._known(pc, cmd, key)
        if product is None:
            product = self._made(cmd, key, start)
        else:
            state.dma.require_loaded(start, product.plan.spans)
        gated = product.run()
        plan = product.plan
        work = plan.work
        c, events = state.counters, state.events
        c.matvec_cycles += work.cycles
        c.symbols += work.symbols
        c.macs += work.macs
        c.macs_gated += gated
        c.stalled_turns += work.stalled
        events.matvec_run_cycles += work.run_cycles
        events.sram_bytes += state.params.align(cmd.columns)
        events.sram_bytes += work.rows * ElementType(cmd.dst_type).n_bytes
        events.param_bytes += work.param_bytes
        written = product.target[plan.elements] if state.observed else b""
        return start + work.cycles - 1, written, None

    def _known(self, pc: int, cmd: Command, key: Key | None) -> Product | None:
        """What is remembered of a command that finds `key` at its addresses."""
        if key is None:
            return None
        place = pc, cmd.addresses, key
        product = self._products.get(place)
        if product is None and key in self._plans:
            product = matvec.bind(cmd, self._plans[key], self._state.sram)
            if product is not None:
                if len(self._products) >= MAX_BOUND:
                    self._products.clear()
                self._products[place] = product
        return product

    def _made(self, cmd: Command, key: Key | None, start: int) -> Product:
        """A product from what the memories hold, its plan kept if there is a name for it."""
        state = self._state
        reads = matvec.reads(cmd, state.params, state.banks, state.param)
        state.dma.require_loaded(start, reads.spans)
        room = matvec.Room(len(matvec.target(cmd, state.sram)), state.last - start)
        plan = matvec.plan(cmd, state.params, reads, state.banks, state.param, room)
        if key is not None and self._loaded.holds(key, reads):
            weights = self._planned_weights + plan.weights.size
            if weights <= MAX_PLANNED_WEIGHTS:
                self._plans[key], self._planned_weights = plan, weights
        product = matvec.bind(cmd, plan, state.sram)
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
        require_inside(cmd.a, cmd.columns, p.bus_bytes, state.sram, "SRAM")
        require_inside(cmd.dst, 0, ElementType(cmd.dst_type).n_bytes, state.sram, "SRAM")
        require_inside(cmd.rows, 0, PARAM_WORD, state.param, "parameter memory")
