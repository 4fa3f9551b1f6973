"""What `npu latency` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from npu.analysis.causes import CAUSES
from npu.analysis.latency_report import (
    FiguresReport,
    LatencyReport,
    LayerFigures,
    UtteranceFigures,
)
from npu.analysis.layers import layer_label, tiles_text
from npu.chip.summary import summary_text
from npu.cli._output import table
from npu.cli._tables import STAY

if TYPE_CHECKING:
    from rich.console import Console

SHOWN_SHARE = 0.01
"""Of the cycles: causes with less of them share a column."""
_SHORT = {"explicit zeros": "zeros", "lane imbalance": "imbalance"}
_OTHERS = "others"


def show(report: LatencyReport, out: Console) -> None:
    """The layers, the commands if they are there, and the frames."""
    total, count = report["total"], report["frames"]
    title = (
        f"{report['model']} on {summary_text(report['chip'])}, a frame; {count} "
        f"frame{'s' * (count != 1)}, {report['decided']}"
    )
    causes = [c for c in CAUSES if total["causes"][c] >= SHOWN_SHARE * total["cycles"]]
    rows = [
        [layer_label(layer["name"]), *_row(layer, total, causes), _stay([layer])]
        for layer in report["layers"]
    ]
    rows.append(["total", *_row(total, total, causes), _stay(report["layers"])])
    columns = ["layer", "cycles", "ms", "share", "bound by", *(_SHORT.get(c, c) for c in causes)]
    columns += [_OTHERS, "ideal", "/ ideal", "bytes moved", "uJ", STAY]
    out.print(table(columns, rows, title=title, left=["bound by", STAY]))
    if "commands" in report:
        commands = [
            [
                str(each["pc"]),
                each["text"],
                layer_label(each["layer"]),
                *_row(each, total, causes)[: 5 + len(causes)],
            ]
            for each in report["commands"]
        ]
        heads = ["pc", "command", "layer", *columns[1 : 6 + len(causes)]]
        out.print(table(heads, commands, left=["command", "layer", "bound by"]))
    frame = report["frame"]
    rows = [
        [name, f"{frame['cycles'][name]:,.0f}", f"{frame['ms'][name]:.4f}"]
        for name in frame["cycles"]
    ]
    out.print(table(("a frame", "cycles", "ms"), rows))
    if "pace" in report:
        pace = report["pace"]
        out.print(
            f"a frame every {pace['deadline_ms']:g} ms: real-time factor "
            f"{pace['real_time_factor']:.5f}, {pace['slowest']:.5f} of the slowest"
        )
    if "utterance" in report:
        _show_utterance(report["utterance"], report, out)
    out.print(f"boot {report['boot_cycles']:,} cycles, reset {report['reset_cycles']:,} cycles")


def _row(of: FiguresReport, total: FiguresReport, causes: Sequence[str]) -> list[str]:
    moved = of["memory_bytes"]["external read"] + of["memory_bytes"]["external written"]
    ideal, over = of["ideal_cycles"], of["over_ideal"]
    others = sum(cycles for cause, cycles in of["causes"].items() if cause not in causes)
    return [
        f"{of['cycles']:,.0f}",
        f"{of['ms']:.4f}",
        f"{of['cycles'] / total['cycles']:.1%}",
        of["bound_by"],
        *(f"{of['causes'][cause]:,.0f}" for cause in causes),
        f"{others:,.0f}",
        "" if ideal is None else f"{ideal:,.0f}",
        "" if over is None else f"{over:.2f}",
        f"{moved:,.0f}",
        f"{of['energy_uj']['total']:,.2f}",
    ]


def _stay(layers: Sequence[LayerFigures]) -> str:
    """How many of their weight tiles stay on the chip; nothing of layers without weights."""
    tiles = [layer["tiles"] for layer in layers if layer["tiles"] is not None]
    if not tiles:
        return ""
    return tiles_text(sum(of["resident_tiles"] for of in tiles), sum(of["tiles"] for of in tiles))


def _show_utterance(of: UtteranceFigures, report: LatencyReport, out: Console) -> None:
    rows = [
        [
            phrase["text"],
            f"{phrase['end_ms']:,.0f}",
            f"{phrase['last_symbol_ms']:,.1f}",
            f"{phrase['perceived_ms']:,.1f}",
        ]
        for phrase in of["phrases"]
    ]
    columns = ("phrase", "sound ends, ms", "last symbol, ms", "perceived latency, ms")
    out.print(table(columns, rows))
    verdict = "in time" if of["in_time"] else "TOO LATE"
    out.print(
        f"{of['file']}: {of['audio_ms']:,.0f} ms of sound, busy {of['busy_ms']:.3f} ms "
        f"({of['busy_share']:.3%} of the time), real-time factor {of['real_time_factor']:.5f}; "
        f"a frame every {of['deadline_ms']:g} ms, the slowest takes "
        f"{report['frame']['ms']['max']:.4f} ms: {verdict}"
    )
