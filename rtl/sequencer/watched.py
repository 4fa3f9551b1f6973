"""With parity, a wrong word stops a program in whatever state it is."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from amaranth.hdl import Module, Signal

from npu.chip.status import Status
from rtl.shared.options import Options


class Watched:
    """The part of the sequencer that stops a program, with Status.PARITY among others.

    What a command reads last is known before the next one begins.

    Attributes
    ----------
    _begun : the last command that began, which is to blame.
    """

    _options: Options
    _begun: Signal
    host: Any
    retire: Signal
    wrong: Signal

    @contextmanager
    def _unless_wrong(self, m: Module) -> Iterator[None]:
        """Around a state of a running program, whose last word this is."""
        yield
        if self._options.parity:
            with m.If(self.wrong):
                m.d.comb += self.retire.eq(0)
                self._stop(m, Status.PARITY, self._begun)

    def _stop(self, m: Module, why, where) -> None:
        """The program's last cycle, in error."""
        m.d.sync += [self.host.error.eq(why), self.host.error_pc.eq(where)]
        m.next = "IDLE"
