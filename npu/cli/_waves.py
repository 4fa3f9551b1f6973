"""The files of waveforms that `npu verify` writes, and what it says of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from npu.analysis.results import WavesReport
from npu.analysis.sides import Machines
from npu.chip.params import ChipParams
from npu.files import write_atomic

if TYPE_CHECKING:
    from npu.waves.watch import Watch


class WaveFiles:
    """Where the waveforms of RTL and twin go, None where nobody wants them.

    Attributes
    ----------
    rtl : a file of its own where only the comparison needs it.
    """

    def __init__(self, rtl: Path | None, twin: Path | None) -> None:
        self.rtl = rtl
        self._twin = twin
        self._watch: Watch | None = None

    def watched(self, machines: Machines, params: ChipParams) -> Machines:
        """The machines; watched, where somebody wants waveforms of the twin."""
        if self._twin is None:
            return machines
        from npu.waves.watch import Watch

        self._watch = Watch(params)
        rtl: Any = machines.rtl
        return Machines(self._watch.machine, partial(rtl, signals=self._watch.widths))

    def compared(self) -> WavesReport | None:
        """Write the twin's waveforms and compare them with the RTL's."""
        if self._watch is None:
            return None
        assert self._twin is not None and self.rtl is not None, "it is watched"
        write_atomic(self._twin, self._watch.write)
        signals, cycles, difference = self._watch.compare(self._twin, self.rtl)
        return {
            "file": str(self._twin),
            "signals": signals,
            "cycles": cycles,
            "difference": None if difference is None else difference._asdict(),
        }


@contextmanager
def wave_files(rtl: str | None, twin: str | None) -> Iterator[WaveFiles]:
    """Files for the options `--waves` and `--twin-waves`."""
    with TemporaryDirectory(prefix="zeroskip-") as folder:
        unwanted = None if twin is None else Path(folder) / "rtl.vcd"
        yield WaveFiles(
            unwanted if rtl is None else Path(rtl), None if twin is None else Path(twin)
        )


def waves_text(report: WavesReport) -> str:
    """What is said of a comparison."""
    found = report["difference"]
    if found is None:
        return (
            f"{report['signals']} signals equal in {report['cycles']:,} cycles, twin "
            f"({report['file']}) with RTL"
        )
    rtl = "has ended" if found["rtl"] is None else f"is {found['rtl']}"
    return (
        f"twin and RTL differ at cycle {found['cycle']:,} in {found['signal']}: it is "
        f"{found['twin']} in the twin's, and {rtl} in the RTL's at {found['rtl_ps']:,} ps"
    )
