"""What `npu bench report` prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npu.analysis.results_beside import PageReport
from npu.chip.summary import summary_text
from npu.cli._output import table

if TYPE_CHECKING:
    from rich.console import Console


def show(of: PageReport, out: Console) -> None:
    """What was measured beside the bars, and whether they hold."""
    title = (
        f"npu report of {of['parameters'] / 1e6:.2f} M parameters, {of['zeros']:.0%} zeros, "
        f"{of['audio_seconds']:g} s of sound on {summary_text(of['chip'])}"
    )
    process, bars = of["process"], of["bars"]
    rows = [
        ("seconds", f"{process['seconds']:.1f}", f"{bars['seconds']:g}"),
        ("seconds of processors", f"{process['cpu_seconds']:.1f}", ""),
        ("peak memory, MiB", f"{process['peak_memory_mib']:,.0f}", f"{bars['peak_memory_mib']:,g}"),
        ("page, bytes", f"{of['page_bytes']:,}", ""),
    ]
    out.print(table(("", "measured", "at most"), rows, title=title))
    verdict = "both bars hold" if of["met"] else "MORE THAN THE BARS"
    out.print(f"{of['cores']} cores, compiled code cached: {verdict}")
