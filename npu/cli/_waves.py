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
from npu.errors import InputError
from npu.files import require_folder, write_atomic

if TYPE_CHECKING:
    from npu.waves.watch import Watch


PACKED, VCD, OTHERS = ".gz", ".vcd", (".fst", ".lxt", ".lxt2", ".ghw")
"""Suffixes of packed files, of ours, and of what viewers read that we do not write."""


def is_vcd(path: str) -> bool:
    """Whether a name asks for waveforms. Raises InputError where it asks for another format."""
    name = path.lower().removesuffix(PACKED)
    if name.endswith(OTHERS):
        raise InputError(
            f"{path}: waveforms are written as VCD; name it {VCD}, and convert it (vcd2fst)"
        )
    return name.endswith(VCD)


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
    """Files for the options `--waves` and `--twin-waves`: whole, or as they were before.

    Raises InputError for names of other formats.
    """
    for name in filter(None, (rtl, twin)):
        is_vcd(name)
        if name.endswith(PACKED):
            raise InputError(f"{name}: this command does not pack; leave {PACKED} out")
    beside = None if rtl is None else require_folder(rtl)
    direct = beside is not None and beside.exists() and not beside.is_file()
    with TemporaryDirectory(
        prefix=".zeroskip-", dir=None if beside is None or direct else beside.parent
    ) as folder:
        made = Path(folder) / "rtl.vcd"
        if rtl is None and twin is None:
            yield WaveFiles(None, None)
        else:
            yield WaveFiles(beside if direct else made, None if twin is None else Path(twin))
            if beside is not None and not direct:
                made.replace(beside)


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
