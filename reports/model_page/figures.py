"""The figures of a model's page. Each takes what it shows, and draws on a figure."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from npu.analysis.causes import CAUSES
from npu.analysis.latency_report import FiguresReport, LayerFigures
from npu.analysis.layers import layer_label
from npu.analysis.results import LayerReport
from npu.chip.params import ChipParams
from npu.chip.weight_format import WORD_BITS
from npu.speech.listen import Kind
from npu.text import printable
from reports.model_page.canvas import FAINT, INK, PAPER, SERIES, drawings, short
from reports.model_page.content import Content, Moment, Sound

MOST_LAYERS = 24
"""Bars of a figure; the layers with fewer cycles share one."""

_NAMED = 6
_ROW, _FRAME = 24, 120
_THOUSANDS = EngFormatter(sep="")
_LABEL = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5, "alpha": 0.85}


def layers_figure(layers: Sequence[LayerFigures]) -> dict[str, str]:
    """Stacked bars: cycles of each layer by what they are spent on."""
    by_cycles = sorted(range(len(layers)), key=lambda i: -layers[i]["cycles"])
    shown, rest = sorted(by_cycles[:MOST_LAYERS]), by_cycles[MOST_LAYERS:]
    bars = [(layer_label(layers[i]["name"]), layers[i]["causes"]) for i in shown]
    if rest:
        bars.append((f"{len(rest)} others", _summed([layers[i] for i in rest])))
    causes = [cause for cause in CAUSES if any(of[cause] for _, of in bars)]

    def draw(figure: Figure, narrow: bool) -> None:
        axes = figure.subplots()
        left = np.zeros(len(bars))
        for cause in causes:
            width = np.array([of[cause] for _, of in bars])
            colour = SERIES[CAUSES.index(cause)]
            axes.barh(range(len(bars)), width, left=left, color=colour, label=cause, height=0.7)
            left += width
        axes.set_yticks(range(len(bars)), [short(name, 16 if narrow else 44) for name, _ in bars])
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.set_xlabel("cycles of a frame")
        _numbers(axes.xaxis, narrow)
        axes.grid(axis="x")
        figure.legend(loc="outside upper left", ncols=2 if narrow else 5)

    rows = len(bars) * _ROW
    return drawings("layers", draw, lambda narrow: rows + (190 if narrow else _FRAME))


def _summed(layers: Sequence[FiguresReport]) -> dict[str, float]:
    return {cause: sum(layer["causes"][cause] for layer in layers) for cause in CAUSES}


def roofline_figure(content: Content) -> dict[str, str]:
    """Products a cycle over products a byte, beside what bus, banks and lanes allow."""
    params = content.params
    layers = zip(content.latency["layers"], content.bus_bytes, strict=True)
    found = [(layer, moved) for layer, moved in layers if layer["macs"] and layer["cycles"]]
    found.sort(key=lambda each: -each[0]["cycles"])
    working = [layer for layer, _ in found]
    sides = (
        ("external memory", params.bus_bytes, [moved for _, moved in found]),
        (
            "banks",
            params.lanes * WORD_BITS // 8,
            [layer["memory_bytes"]["banks"] for layer in working],
        ),
    )

    def draw(figure: Figure, narrow: bool) -> None:
        axes = figure.subplots(2, 1) if narrow else figure.subplots(1, 2)
        for ax, (name, bandwidth, n_bytes) in zip(axes, sides, strict=True):
            moving = [i for i, moved in enumerate(n_bytes) if moved]
            x = np.array([working[i]["macs"] / n_bytes[i] for i in moving])
            y = np.array([working[i]["macs"] / working[i]["cycles"] for i in moving])
            area = [30 + 170 * working[i]["cycles"] / working[0]["cycles"] for i in moving]
            colours = [SERIES[i] if i < _NAMED else FAINT for i in moving]
            _roof(ax, x, y, params.lanes, bandwidth)
            ax.scatter(x, y, area, color=colours, alpha=0.8, linewidths=0)
            if not moving:
                ax.text(
                    0.55,
                    0.25,
                    "no layer with products moves a byte",
                    transform=ax.transAxes,
                    ha="center",
                )
            ax.set_title(name, loc="left", fontsize=12)
            ax.set_xlabel("products a byte")
            ax.set_ylabel("products a cycle")
        keys = [
            Line2D([], [], marker="o", linestyle="", color=SERIES[i] if i < _NAMED else FAINT)
            for i in range(min(len(working), _NAMED + 1))
        ]
        names = [short(layer_label(layer["name"]), 34) for layer in working[:_NAMED]]
        figure.legend(keys, [*names, "others"][: len(keys)], **_below(narrow, 3))

    return drawings("roofline", draw, lambda narrow: 760 if narrow else 420)


def _below(narrow: bool, columns: int) -> dict[str, Any]:
    return {"loc": "outside lower left", "ncols": 1 if narrow else columns}


def _roof(ax: Any, x: np.ndarray, y: np.ndarray, lanes: int, bandwidth: float) -> None:
    knee = lanes / bandwidth
    low, high = min([knee, *x]) / 3, max([knee, *x]) * 3
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    at = np.geomspace(low, high, 100)
    ax.plot(at, np.minimum(lanes, at * bandwidth), color=INK, linewidth=1.5)
    ax.set_xlim(low, high)
    ax.set_ylim(min([low * bandwidth, *(y / 2)]), lanes * 2)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
        axis.set_major_locator(LogLocator(2, numticks=6))
        axis.set_minor_locator(NullLocator())
    ax.grid()
    ax.annotate(
        f"{lanes} lanes",
        (high, lanes),
        xytext=(-4, 4),
        textcoords="offset points",
        ha="right",
        fontsize=10,
    )


def moment_figure(moment: Moment, params: ChipParams) -> dict[str, str]:
    """Occupancy of lanes and bus in a frame, window by window, over what runs."""
    windows = moment.windows
    edges = windows.edges - moment.begin
    bus = windows.n_bytes / np.maximum(np.diff(edges), 1) / params.bus_bytes
    names = list(dict.fromkeys(name for _, _, name in moment.work))

    def draw(figure: Figure, narrow: bool) -> None:
        lanes, wires, strip = figure.subplots(3, 1, sharex=True, height_ratios=(4, 2, 1))
        for ax, values, colour, name in (
            (lanes, windows.occupancy, SERIES[0], "lanes, %"),
            (wires, bus, SERIES[6], "bus, %"),
        ):
            ax.stairs(100 * values, edges, fill=True, color=colour)
            ax.set_ylim(0, 100)
            ax.set_title(name, loc="left", fontsize=12)
            ax.grid(axis="y")
            ax.set_yticks((0, 50, 100))
        for begin, end, name in moment.work:
            colour = SERIES[names.index(name) % len(SERIES)]
            strip.barh(0, end - begin, left=begin - moment.begin, color=colour, height=1)
        _named_spans(strip, moment, narrow)
        strip.set_yticks(())
        strip.spines["left"].set_visible(False)
        strip.set_xlim(0, moment.cycles)
        strip.set_xlabel("cycles since the frame began")
        _numbers(strip.xaxis, narrow)

    return drawings("moment", draw, lambda narrow: 400)


def _named_spans(ax: Any, moment: Moment, narrow: bool) -> None:
    room = 0.16 if narrow else 0.09
    for begin, end, name in moment.work:
        if end - begin > room * moment.cycles:
            middle = (begin + end) / 2 - moment.begin
            width = int((end - begin) / moment.cycles * (34 if narrow else 110))
            ax.text(
                middle,
                0,
                short(name, max(width, 5)),
                ha="center",
                va="center",
                fontsize=10,
                bbox=_LABEL,
                in_layout=False,
            )


def sram_figure(content: Content) -> dict[str, str]:
    """Which bytes of vector SRAM live from when to when, over the steps of the program."""
    sram = content.sram
    assert sram is not None, "the model is there"
    at = step_cycles(content)
    shown = sorted(sram.ranges, key=lambda each: -each.n_bytes * (each.last - each.first + 1))
    graphs = list(dict.fromkeys(layer.graph for layer in sram.steps))

    def draw(figure: Figure, narrow: bool) -> None:
        axes = figure.subplots()
        for index, each in enumerate(sram.ranges):
            begin, end = at[each.first], at[each.last + 1]
            colour = FAINT if each.persistent else SERIES[index % len(SERIES)]
            axes.broken_barh(
                [(begin, end - begin)],
                (each.address, each.n_bytes),
                facecolor=colour,
                edgecolor=PAPER,
                linewidth=0.6,
                alpha=0.55 if each.persistent else 0.85,
            )
        for each in shown[: 5 if narrow else 16]:
            width = (at[each.last + 1] - at[each.first]) / at[-1]
            if each.n_bytes < 0.035 * sram.used_bytes or width < (0.3 if narrow else 0.12):
                continue
            name = each.name.rpartition(": ")[2]
            axes.text(
                (at[each.first] + at[each.last + 1]) / 2,
                each.address + each.n_bytes / 2,
                short(name, max(6, int(width * (36 if narrow else 110)))),
                ha="center",
                va="center",
                fontsize=10,
                bbox=_LABEL,
                in_layout=False,
            )
        for graph in graphs[1:]:
            first = next(i for i, layer in enumerate(sram.steps) if layer.graph == graph)
            axes.axvline(at[first], color=INK, linewidth=0.8, linestyle=":")
        axes.set_xlim(0, at[-1])
        axes.set_ylim(0, sram.used_bytes)
        axes.set_xlabel("cycles of a mean frame")
        axes.set_ylabel("address, bytes")
        _numbers(axes.xaxis, narrow)
        _numbers(axes.yaxis, narrow)

    return drawings("sram", draw, lambda narrow: 380)


def step_cycles(content: Content) -> np.ndarray:
    """(steps + 1,) float64: where each step of the SRAM's map begins in a mean frame.

    A layer's cycles are shared evenly by its steps; steps of what did not run take a cycle.
    """
    assert content.sram is not None, "the model is there"
    keys = [(layer.graph, layer.operator) for layer in content.sram.steps]
    cycles: Mapping[tuple[str, str], float] = {
        (layer["graph"], layer["operator"]): layer["cycles"] for layer in content.latency["layers"]
    }
    each = [max(cycles.get(key, 0.0) / keys.count(key), 1.0) for key in keys]
    return np.concatenate([[0.0], np.cumsum(each)])


def bits_figure(matrices: Sequence[LayerReport]) -> dict[str, str]:
    """Bits per weight beside the entropy, a dot for each matrix."""
    x = np.array([each["entropy_bits_per_weight"] for each in matrices])
    y = np.array([each["bits_per_weight"] for each in matrices])
    weights = np.array([each["rows"] * each["columns"] for each in matrices], np.float64)
    most, high = (1.05 * max(8.0, *values.tolist()) for values in (x, y))

    def draw(figure: Figure, narrow: bool) -> None:
        axes = figure.subplots()
        axes.plot((0, most), (0, most), color=INK, linewidth=1, linestyle="--", label="entropy")
        axes.legend(loc="upper left")
        area = 20 + 200 * np.sqrt(weights / max(weights.max(initial=0), 1))
        axes.scatter(x, y, area, color=SERIES[0], alpha=0.7, linewidths=0)
        axes.set_xlim(0, most)
        axes.set_ylim(0, high)
        axes.grid()
        axes.set_xlabel("entropy, bits per weight")
        axes.set_ylabel("bits per weight, all counted")

    return drawings("bits", draw, lambda narrow: 330 if narrow else 380)


def sound_figure(sound: Sound, deadline_ms: float) -> dict[str, str]:
    """The spectrogram with the symbols, and below it what each frame takes."""
    bins, columns = sound.spectrogram.shape
    seconds = columns * sound.seconds_per_column
    latest = float(sound.ms.max(initial=0))

    def draw(figure: Figure, narrow: bool) -> None:
        heard, took = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
        heard.imshow(
            sound.spectrogram,
            aspect="auto",
            origin="lower",
            extent=(0, seconds, 0, bins),
            cmap="magma",
        )
        heard.set_ylabel("mel bin")
        for at, text in _apart(sound.symbols, seconds * (0.032 if narrow else 0.0095)):
            text = short(text, 20 if narrow else 60)
            written = heard.text(at, bins * 1.03, text, fontsize=11, ha="left", va="bottom")
            written.set_in_layout(False)
        # Room for them.
        heard.set_title(" ", fontsize=11)
        # Where a phrase begins, calls of the silence before it come at once.
        apart = np.diff(sound.at_seconds)
        width = np.min(apart[apart > 0], initial=seconds / max(len(sound.ms), 1))
        took.bar(sound.at_seconds, sound.ms, width=0.85 * width, color=SERIES[0], linewidth=0)
        took.set_ylabel("ms of a frame")
        took.set_ylim(0, latest * 1.15)
        if deadline_ms < latest * 3:
            took.axhline(deadline_ms, color=SERIES[1], linewidth=1.5)
            took.set_ylim(0, max(latest, deadline_ms) * 1.15)
        took.grid(axis="y")
        a_ms = float(sound.cycles.max(initial=0)) / latest if latest else 1.0
        both = (lambda ms: ms * a_ms, lambda cycles: cycles / a_ms)
        counted = took.secondary_yaxis("right", functions=both)
        counted.set_ylabel("cycles")
        _numbers(counted.yaxis, narrow=True)
        took.set_xlim(0, max(seconds, float(sound.at_seconds.max(initial=0)) + width))
        took.set_xlabel("seconds of sound")

    return drawings("sound", draw, lambda narrow: 400)


def session_figure(sound: Sound) -> dict[str, str]:
    """The samples, and the phrases with where they were told to be over."""
    finals = [event for event in sound.events if event.kind == Kind.FINAL and event.spoken.text]
    over = [event for event in sound.events if event.kind == Kind.SPECULATIVE]
    back = [event for event in sound.events if event.resets]
    times = np.linspace(0, sound.seconds, len(sound.wave), endpoint=False)
    highest = float(np.abs(sound.wave).max(initial=1e-3))

    def draw(figure: Figure, narrow: bool) -> None:
        axes = figure.subplots()
        axes.fill_between(times, *sound.wave.T, color=SERIES[0], linewidth=0)
        for event in finals:
            axes.axvspan(event.spoken.start, event.spoken.end, color=SERIES[0], alpha=0.15)
            axes.axvline(event.at, color=INK, linewidth=1.2)
        for event in over:
            axes.axvline(event.at, color=INK, linewidth=1, linestyle="--")
        for event in back:
            axes.axvline(event.at, color=SERIES[1], linewidth=1.5)
        letter = sound.seconds * (0.032 if narrow else 0.0095)
        starts = [event.spoken.start for event in finals] + 2 * [sound.seconds]
        for n, event in enumerate(finals):
            # In two rows: each has room up to the phrase after the next.
            letters = int((starts[n + 2] - starts[n]) / letter) - 1
            text = printable(event.spoken.text)
            if letters > 3:
                height = highest * (1.28 if n % 2 else 1.08)
                written = axes.text(starts[n], height, short(text, letters), fontsize=11)
                written.set_in_layout(False)
        axes.set_title(" \n ", fontsize=11)
        axes.set_xlim(0, sound.seconds)
        axes.set_ylim(-1.05 * highest, 1.05 * highest)
        axes.set_ylabel("sample")
        axes.set_xlabel("seconds of sound")

    return drawings("session", draw, lambda narrow: 280)


def _apart(symbols: Sequence[tuple[float, str]], width: float) -> list[tuple[float, str]]:
    """Texts with their seconds, so far apart that letters of `width` seconds have room.

    What would be written over the text before follows on it.
    """
    found: list[tuple[float, str]] = []
    for at, text in symbols:
        if found and at < found[-1][0] + width * (len(found[-1][1]) + 0.4):
            found[-1] = (found[-1][0], found[-1][1] + text)
        else:
            found.append((at, text.lstrip()))
    return [(at, printable(text)) for at, text in found]


def _numbers(axis: Any, narrow: bool) -> None:
    axis.set_major_formatter(_THOUSANDS)
    axis.set_major_locator(MaxNLocator(4 if narrow else 8))
