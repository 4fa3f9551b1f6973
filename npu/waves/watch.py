"""A twin that is watched, and the files of what it shows."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from npu.chip.params import ChipParams
from npu.twin.machine import Machine
from npu.twin.probe import Probe
from npu.waves import vcd
from npu.waves.compare import WaveComparison, compare
from npu.waves.signals import widths
from npu.waves.values import values


class Watch:
    """What one twin does, signal by signal.

    Parameters
    ----------
    params : of its chip.

    Attributes
    ----------
    widths : bits of every signal, by its full name in the RTL's waveforms.
    """

    def __init__(self, params: ChipParams) -> None:
        self.widths = widths(params)
        self._probe = Probe()
        self._machine: Machine | None = None

    def machine(
        self, params: ChipParams, memory_bytes: int, program: bytes, **options: Any
    ) -> Machine:
        """Make the twin, as `npu.chip.machine.MachineFactory` says; once."""
        assert self._machine is None and widths(params) == self.widths, "one machine, of this chip"
        self._machine = Machine(params, memory_bytes, program, probe=self._probe, **options)
        return self._machine

    @property
    def cycles(self) -> int:
        """That the twin has run."""
        return self._probe.cycles

    def write(self, file: BinaryIO) -> None:
        """Write its waveforms as VCD."""
        made = self._machine
        assert made is not None, "it has run"
        waves = values(self._probe, made.params, made.memory.schedule)
        with _text(file) as out:
            vcd.write(out, self.widths, waves, self.cycles)

    def compare(self, twin: Path, rtl: Path) -> WaveComparison:
        """Compare what `write` wrote with the RTL's; see `npu.waves.compare`."""
        return compare(twin, rtl, self.widths)


@contextmanager
def _text(file: BinaryIO) -> Iterator[io.TextIOWrapper]:
    """A binary file to write text to; it stays open."""
    out = io.TextIOWrapper(file, encoding="ascii", newline="\n")
    try:
        yield out
    finally:
        out.detach()
