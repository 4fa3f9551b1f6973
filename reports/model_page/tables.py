"""The tables of a model's page: what its figures show, as text."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from npu.analysis.causes import CAUSES
from npu.analysis.layers import layer_label, tiles_text
from npu.speech.listen import Kind
from npu.text import printable
from reports.model_page.content import Content, Sound
from reports.model_page.figures import step_cycles

MOST_ROWS = 2000


@dataclass(frozen=True)
class Table:
    """A table: its first `named` columns are text, the others numbers; `left_out` rows too many."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    named: int = 1
    left_out: int = 0

    @classmethod
    def of(cls, columns: Sequence[str], rows: Iterable[Sequence[str]], named: int = 1) -> "Table":
        """With what can be printed of every cell, and no more rows than can be read."""
        cells = [[printable(cell) for cell in row] for row in rows]
        return cls(columns, cells[:MOST_ROWS], named, max(len(cells) - MOST_ROWS, 0))


def layers_table(content: Content) -> Table:
    """Cycles by cause, the ideal, the energy."""
    layers = content.latency["layers"]
    causes = [cause for cause in CAUSES if any(layer["causes"][cause] for layer in layers)]
    rows = [
        [
            layer_label(layer["name"]),
            layer["bound_by"],
            f"{layer['cycles']:,.0f}",
            *(f"{layer['causes'][cause]:,.0f}" for cause in causes),
            _number(layer["ideal_cycles"], ",.0f"),
            _number(layer["over_ideal"], ".2f"),
            f"{layer['energy_uj']['total']:,.3f}",
        ]
        for layer in layers
    ]
    return Table.of(["layer", "bound by", "cycles", *causes, "ideal", "/ ideal", "uJ"], rows, 2)


def roofline_table(content: Content) -> Table:
    """Products, bytes and what they make together."""
    rows = []
    for layer, moved in zip(content.latency["layers"], content.bus_bytes, strict=True):
        if not layer["macs"]:
            continue
        macs, bank = layer["macs"], layer["memory_bytes"]["banks"]
        rows.append(
            [
                layer_label(layer["name"]),
                f"{macs:,.0f}",
                f"{macs / layer['cycles']:.2f}",
                f"{moved:,.0f}",
                _number(macs / moved if moved else None, ",.2f"),
                f"{bank:,.0f}",
                _number(macs / bank if bank else None, ",.2f"),
            ]
        )
    columns = ["layer", "products", "a cycle", "bus bytes", "a byte", "bank bytes", "a byte"]
    return Table.of(columns, rows)


def moment_table(content: Content) -> Table:
    """What runs in the frame that is shown, one after the other."""
    moment = content.moment
    rows = [
        [name, f"{begin - moment.begin:,}", f"{end - begin:,}"] for begin, end, name in moment.work
    ]
    return Table.of(["layer", "from cycle", "cycles"], rows)


def windows_table(content: Content) -> Table:
    """Occupancy of lanes and bus, window by window."""
    moment = content.moment
    edges = (moment.windows.edges - moment.begin).tolist()
    rows = [
        [f"{begin:,}", f"{100 * lanes:.1f}", f"{n_bytes:,.0f}"]
        for begin, lanes, n_bytes in zip(
            edges[:-1],
            moment.windows.occupancy.tolist(),
            moment.windows.n_bytes.tolist(),
            strict=True,
        )
    ]
    return Table.of(["from cycle", "lanes, %", "bytes over the bus"], rows, 0)


def sram_table(content: Content) -> Table:
    """Every buffer: where it lies, and from where to where it lives."""
    assert content.sram is not None, "the model is there"
    at, steps = step_cycles(content), content.sram.steps
    rows = [
        [
            each.name,
            layer_label(str(steps[each.first])),
            "always" if each.persistent else layer_label(str(steps[each.last])),
            f"{each.address:,}",
            f"{each.n_bytes:,}",
            f"{at[each.first]:,.0f}",
            f"{at[each.last + 1]:,.0f}",
        ]
        for each in sorted(content.sram.ranges, key=lambda each: (each.first, each.address))
    ]
    columns = ["buffer", "first used by", "last used by", "address", "bytes", "from cycle", "to"]
    return Table.of(columns, rows, 3)


def bits_table(content: Content) -> Table:
    """Every weight matrix."""
    rows = [
        [
            layer_label(each["name"]),
            f"{each['rows']:,} × {each['columns']:,}",
            f"{100 * each['sparsity']:.1f}",
            f"{each['bits_per_weight']:.3f}",
            f"{each['entropy_bits_per_weight']:.3f}",
            _number(each["over_entropy"], ".3f"),
            tiles_text(each["resident_tiles"], each["tiles"]),
            f"{each['streamed_bytes']:,}",
        ]
        for each in content.matrices
    ]
    columns = ["matrix", "shape", "zeros, %", "bits", "entropy", "/ entropy"]
    columns += ["tiles that stay", "bytes streamed"]
    return Table.of(columns, rows)


def sound_table(content: Content) -> Table:
    """When each frame came, and how long it took."""
    assert content.sound is not None, "one was heard"
    sound = content.sound
    rows = [
        [f"{at:.2f}", f"{cycles:,}", f"{ms:.4f}"]
        for at, cycles, ms in zip(
            sound.at_seconds.tolist(), sound.cycles.tolist(), sound.ms.tolist(), strict=True
        )
    ]
    return Table.of(["comes at, s", "cycles", "takes, ms"], rows, 0)


def lattices_table(sound: Sound) -> Table:
    """Every arc of the lattices, also those that are not drawn."""
    rows = []
    for number, (_, lattice) in enumerate(sound.lattices, start=1):
        best = set(lattice.best)
        for arc, share in zip(lattice.arcs, lattice.posteriors, strict=True):
            rows.append(
                [
                    arc.word,
                    "yes" if arc in best else "",
                    f"{number}",
                    f"{arc.source}",
                    f"{arc.target}",
                    f"{arc.start:.2f}",
                    f"{arc.end:.2f}",
                    f"{share:.4f}",
                ]
            )
    columns = ["word", "likeliest path", "phrase", "from state", "to", "from s", "to s"]
    return Table.of([*columns, "posterior"], rows, 2)


def symbols_table(content: Content) -> Table:
    """The symbols with the frames in which they were found."""
    assert content.sound is not None, "one was heard"
    return Table.of(
        ["symbol", "at, s"], [[text, f"{at:.2f}"] for at, text in content.sound.symbols]
    )


def events_table(content: Content) -> Table:
    """What was told of the phrases, when."""
    assert content.sound is not None, "one was heard"
    rows = [
        [
            event.kind.value,
            event.spoken.text,
            "taken back" if event.resets else "",
            f"{event.at:.2f}",
            f"{event.spoken.start:.2f}",
            "" if event.kind == Kind.PARTIAL else f"{event.spoken.end:.2f}",
        ]
        for event in content.sound.events
    ]
    columns = ["event", "text", "what was over", "at, s", "from, s", "to, s"]
    return Table.of(columns, rows, 3)


def memory_table(content: Content) -> Table:
    """Every memory of the chip, and how much of it the model takes."""
    rows = [
        [
            name,
            f"{use['used']:,}",
            f"{use['size']:,}",
            f"{100 * use['used'] / use['size']:.1f}" if use["size"] else "",
        ]
        for name, use in content.memory.items()
    ]
    return Table.of(["memory", "used, bytes", "size, bytes", "%"], rows)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
