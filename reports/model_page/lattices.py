"""Lattices as pictures: states in their order in time, and a lane for each word beside another.

The likeliest path is the lane in the middle. Every other word lies in the nearest lane in which
there is room for it, the likelier first, and is bent to its states. Time goes to the right; where
that is too wide, downwards.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from npu.speech.lattice import Arc, Lattice
from reports.model_page.canvas import FAINT, INK, NARROW, PAPER, SERIES, WIDE, drawings, short

MOST_ARCS, MOST_LATTICES = 36, 6
"""That are drawn, of a lattice, and of a sound."""

_LONGEST = 16
_LEAST = 0.01
_LETTER, _LINE, _TITLE, _MARGIN, _BEND = 7, 26, 30, 26, 22
"""Pixels of the page: of a letter, of a lane or a row, above a lattice, at its ends, of a bend."""

_MOST_LANES = 13
_SECOND_DOWNWARDS = 30


@dataclass(frozen=True)
class Pruned:
    """What is drawn of a lattice: the likelier arcs, as far as they lie on whole paths.

    Attributes
    ----------
    shares : the posterior of each arc. best : the likeliest path, which is always among them.
    ends : states in which a text may end.
    left_out : the posteriors of the others.
    """

    arcs: tuple[Arc, ...]
    shares: tuple[float, ...]
    best: frozenset[Arc]
    ends: frozenset[int]
    left_out: tuple[float, ...]


@dataclass(frozen=True)
class Placed:
    """Where a lattice is drawn, in pixels.

    Attributes
    ----------
    along : of each state, in the direction of time. length : of all of it.
    lanes : of each arc, 0 is the likeliest path. across : of each state, its lane.
    downwards : the direction of time. width : of a lane across.
    """

    pruned: Pruned
    along: dict[int, float]
    length: float
    lanes: dict[Arc, int]
    across: dict[int, int]
    downwards: bool
    width: float

    @property
    def size(self) -> float:
        """The height."""
        return self.length if self.downwards else self.width * self.lane_count

    @property
    def lowest(self) -> int:
        """The first lane."""
        return min(0, *self.lanes.values())

    @property
    def lane_count(self) -> int:
        """From the first one to the last one."""
        return max(0, *self.lanes.values()) - self.lowest + 1


def pruned(lattice: Lattice, most: int) -> Pruned:
    """The `most` likeliest arcs, those of the likeliest path in any case."""
    best = frozenset(lattice.best)
    shares = dict(zip(lattice.arcs, lattice.posteriors, strict=True))
    ranked = sorted(lattice.arcs, key=lambda arc: (arc not in best, -shares[arc]))
    kept = set(ranked[: max(most, len(best))])
    # An arc may be likelier than each of those that lead to it, or on from it.
    reached, leading = {0}, set(lattice.ends)
    for arc in lattice.arcs:
        if arc in kept and arc.source in reached:
            reached.add(arc.target)
    for arc in reversed(lattice.arcs):
        if arc in kept and arc.target in leading:
            leading.add(arc.source)
    arcs = tuple(
        arc
        for arc in lattice.arcs
        if arc in kept and arc.source in reached and arc.target in leading
    )
    states = {0, *(arc.target for arc in arcs)}
    return Pruned(
        arcs,
        tuple(shares[arc] for arc in arcs),
        best,
        frozenset(lattice.ends) & states,
        tuple(share for arc, share in shares.items() if arc not in set(arcs)),
    )


def placed(lattice: Lattice, width: float) -> Placed:
    """Where it has room in so many pixels: no text lies on another one."""
    for most in range(MOST_ARCS, 0, -1):
        of = pruned(lattice, most)
        for downwards in (False, True):
            found = _placed(of, width, downwards)
            across = found.width * found.lane_count
            fits = across <= width - 40 if downwards else found.length <= width
            if fits and (downwards or found.lane_count <= _MOST_LANES):
                return found
    return found


def _placed(of: Pruned, width: float, downwards: bool) -> Placed:
    if downwards:
        widest = max(len(_label(arc, 1.0)) for arc in of.arcs)
        along = _along(of, lambda arc: 2 * _LINE, _SECOND_DOWNWARDS)
        across = _LETTER * widest + 12.0
    else:
        begin, end = min(arc.start for arc in of.arcs), max(arc.end for arc in of.arcs)
        second = (width - 2 * _MARGIN) / max(end - begin, 1e-3)
        across = _LINE
        # As near to the time's own scale as texts have room.
        for share in (1.0, 0.8, 0.6, 0.4, 0.2, 0.0):
            along = _along(of, _width_of, share * second)
            if max(along.values()) + _MARGIN <= width:
                break
    lanes = _lanes(of, along)
    states = {0: 0}
    for arc, _ in sorted(zip(of.arcs, of.shares, strict=True), key=lambda each: each[1]):
        states[arc.target] = lanes[arc]
    for arc in of.best:
        states[arc.target] = 0
    return Placed(of, along, max(along.values()) + _MARGIN, lanes, states, downwards, across)


def _along(of: Pruned, needed: Callable[[Arc], float], second: float) -> dict[int, float]:
    """States in time, `second` pixels each, or later where an arc needs more."""
    begin = min(arc.start for arc in of.arcs)
    heard: dict[int, float] = {0: begin}
    for arc, _ in sorted(zip(of.arcs, of.shares, strict=True), key=lambda each: each[1]):
        heard[arc.target] = arc.end
    along: dict[int, float] = {0: _MARGIN}
    for arc in of.arcs:
        least = along.get(arc.target, _MARGIN + second * (heard[arc.target] - begin))
        along[arc.target] = max(least, along[arc.source] + needed(arc))
    return along


def _lanes(of: Pruned, along: dict[int, float]) -> dict[Arc, int]:
    lanes = dict.fromkeys(of.best, 0)
    taken: dict[int, list[tuple[float, float]]] = {}
    ranked = sorted(zip(of.arcs, of.shares, strict=True), key=lambda each: -each[1])
    for arc in (arc for arc, _ in ranked if arc not in of.best):
        begin, end = along[arc.source], along[arc.target]
        lane = 1
        while any(begin < other and first < end for first, other in taken.get(lane, ())):
            lane = -lane if lane > 0 else 1 - lane
        taken.setdefault(lane, []).append((begin, end))
        lanes[arc] = lane
    return lanes


def _label(arc: Arc, share: float) -> str:
    told = f"{share:.2f}" if share >= _LEAST else f"<{_LEAST}"
    return f"{short(arc.word, _LONGEST)} {told}"


def _width_of(arc: Arc) -> float:
    return _LETTER * len(_label(arc, 1.0)) + 2.0 * _BEND


def left_out_text(lattices: Sequence[tuple[str, Lattice]]) -> str:
    """What of them is not drawn, in words; nothing where all is."""
    rest = len(lattices) - MOST_LATTICES
    return f"The last {rest:,} of {len(lattices):,} phrases are not drawn." if rest > 0 else ""


def lattices_figure(lattices: Sequence[tuple[str, Lattice]]) -> dict[str, str]:
    """The lattices of phrases with their texts, one below the other."""
    shown = lattices[:MOST_LATTICES]
    found = {width: [placed(lattice, width) for _, lattice in shown] for width in (WIDE, NARROW)}

    def height_of(narrow: bool) -> float:
        return sum(_TITLE + 34 + each.size for each in found[NARROW if narrow else WIDE])

    def draw(figure: Figure, narrow: bool) -> None:
        # Every lattice has its place already, in pixels.
        figure.set_layout_engine("none")
        width, height = NARROW if narrow else WIDE, height_of(narrow)
        top = 0.0
        for (text, _), each in zip(shown, found[width], strict=True):
            size = _TITLE + 34 + each.size
            axes = figure.add_axes((0, 1 - (top + size) / height, 1, size / height))
            axes.set_axis_off()
            axes.set_xlim(0, width)
            axes.set_ylim(size, 0)
            _draw(axes, each, short(text, 40 if narrow else 90), width)
            top += size

    return drawings("lattice", draw, height_of)


def _draw(axes: Axes, of: Placed, title: str, width: float) -> None:
    if rest := of.pruned.left_out:
        words = len(of.pruned.arcs)
        title += f"   ({words} of {words + len(rest)} words; the others: at most {max(rest):.2g})"
    axes.text(0, 14, title, fontsize=12, fontweight="bold", va="center")
    middle = (width - of.width * of.lane_count) / 2 if of.downwards else 0.0

    def point(along: float, lane: float) -> tuple[float, float]:
        across = (lane - of.lowest + 0.5) * of.width
        if of.downwards:
            return across + middle + 18, along + _TITLE - 14
        return along, across + _TITLE

    ranked = sorted(zip(of.pruned.arcs, of.pruned.shares, strict=True), key=lambda each: each[1])
    for arc, share in ranked:
        is_best = arc in of.pruned.best
        begin, end = of.along[arc.source], of.along[arc.target]
        lane, ends = of.lanes[arc], (of.across[arc.source], of.across[arc.target])
        path = _bent(point, begin, end, lane, ends)
        colour = SERIES[0] if is_best else INK
        thick = 1 + 3 * share
        axes.add_patch(
            PathPatch(
                path, fill=False, edgecolor=colour, linewidth=thick, alpha=1 if is_best else 0.4
            )
        )
        axes.text(
            *point((begin + end) / 2, lane),
            _label(arc, share),
            fontsize=11,
            fontweight="bold" if is_best else "normal",
            ha="center",
            va="center",
            bbox={"facecolor": PAPER, "edgecolor": "none", "pad": 1.0},
        )
    for state, along in of.along.items():
        x, y = point(along, of.across[state])
        is_end = state in of.pruned.ends
        axes.plot(x, y, "o", color=INK, markersize=5)
        if is_end:
            axes.plot(x, y, "o", markerfacecolor="none", markeredgecolor=INK, markersize=10)
    _seconds(axes, of, point)


def _bent(
    point: Callable[[float, float], tuple[float, float]],
    begin: float,
    end: float,
    lane: int,
    ends: tuple[int, int],
) -> Path:
    """From a state to its lane, along it, and to the other state."""
    bend = min(_BEND, (end - begin) / 3)
    corners = [
        point(begin, ends[0]),
        point(begin + bend / 2, ends[0]),
        point(begin + bend / 2, lane),
        point(begin + bend, lane),
        point(end - bend, lane),
        point(end - bend / 2, lane),
        point(end - bend / 2, ends[1]),
        point(end, ends[1]),
    ]
    curve = [Path.CURVE4] * 3
    return Path(corners, [Path.MOVETO, *curve, Path.LINETO, *curve])


def _seconds(axes: Axes, of: Placed, point: Callable[[float, float], tuple[float, float]]) -> None:
    """Of the states of the likeliest path, beside all lanes."""
    path = sorted(of.pruned.best, key=lambda arc: arc.source)
    marks = [(arc.target, arc.end) for arc in path]
    if path:
        marks.insert(0, (0, path[0].start))
    edge = of.lowest - 0.5 + (0 if of.downwards else of.lane_count)
    for state, seconds in marks:
        x, y = point(of.along[state], edge)
        if of.downwards:
            axes.text(x - 6, y, f"{seconds:.2f}", fontsize=10, ha="right", va="center")
        else:
            axes.plot(
                (x, x), (point(0, of.across[state])[1], y), color=FAINT, linewidth=0.6, zorder=0
            )
            axes.text(x, y + 10, f"{seconds:.2f}", fontsize=10, ha="center", va="center")
