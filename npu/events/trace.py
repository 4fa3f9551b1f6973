"""What data decide in a program: recorded once, so that its cycles follow without the data."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from npu.chip.limit import Budget
from npu.chip.machine import MachineFactory
from npu.chip.trace import Retire
from npu.events.relevance import relevance


@dataclass(frozen=True)
class Start:
    """A start of the chip.

    Attributes
    ----------
    pc : of its first command.
    arguments : registers that the host set, with their values.
    values : what the commands of `Relevance.sources` left in their registers, in order.
    """

    pc: int
    arguments: tuple[tuple[int, int], ...] = ()
    values: tuple[int, ...] = ()


@dataclass
class Trace:
    """Starts of the chip, one after the other."""

    starts: list[Start] = field(default_factory=list)


class Recorder:
    """Makes machines as `factory` does, and records what data decide in their starts.

    Parameters
    ----------
    factory : of twins.
    entries : where the program may be started; None: anywhere.

    Attributes
    ----------
    trace : of the newest machine.
    """

    def __init__(self, factory: MachineFactory, entries: Iterable[int] | None = None) -> None:
        self._factory = factory
        self._entries = None if entries is None else tuple(entries)
        self.trace = Trace()

    def __call__(self, *args: Any, observer: Any = None, **options: Any) -> Any:
        values: list[int] = []

        def observe(retire: Retire, machine: Any) -> None:
            register = sources.get(retire.pc)
            if register is not None:
                values.append(machine.registers[register])
            if observer is not None:
                observer(retire, machine)

        machine: Any = self._factory(*args, observer=observe, **options)
        sources = relevance(machine.program, self._entries).sources
        trace, run = Trace(), machine.run
        self.trace = trace

        def recorded(
            pc: int, arguments: dict[int, int] | None = None, budget: Budget | None = None
        ) -> int:
            values.clear()
            try:
                return run(pc, arguments, budget)
            finally:
                given = tuple(sorted((arguments or {}).items()))
                trace.starts.append(Start(pc, given, tuple(values)))

        machine.run = recorded
        # Ours looks at no element; without a source there is nothing to see.
        machine.state.observed = observer is not None
        if not sources and observer is None:
            machine.observer = None
        return machine
