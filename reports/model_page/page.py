"""The page of a model as HTML: cards, figures and tables in one file that needs nothing else."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from npu.analysis.latency_report import UtteranceFigures
from npu.chip.summary import summary_text
from npu.text import printable
from reports.model_page import figures, tables
from reports.model_page.content import Content, Sound
from reports.model_page.lattices import lattices_figure, left_out_text
from reports.model_page.tables import Table


class Card(NamedTuple):
    """A figure of the summary; `tone` is "good" or "bad" where it is a verdict."""

    name: str
    value: str
    note: str
    tone: str = ""


class Section(NamedTuple):
    """A part of the page: its figure by width, and what it shows as tables by title."""

    key: str
    title: str
    text: str
    drawings: dict[str, Markup]
    tables: dict[str, Table]


def page(content: Content, advance: Callable[[int], None] = lambda steps: None) -> str:
    """The page; `advance` is called behind every section.

    Names of the model, its tensors and files come from strangers: the template escapes them, and
    the figures hold them as text.
    """
    loader = PackageLoader("reports.model_page", ".")
    environment = Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    sections = []
    for section in _sections(content):
        sections.append(section)
        advance(1)
    style, _, _ = loader.get_source(environment, "page.css")
    return environment.get_template("page.html.j2").render(
        model=printable(content.latency["model"]),
        chip=summary_text(content.latency["chip"]),
        decided=content.latency["decided"],
        frames=content.latency["frames"],
        cards=cards(content),
        utterance=content.latency.get("utterance"),
        sections=sections,
        style=Markup(style),
        memory=tables.memory_table(content),
    )


def cards(content: Content) -> list[Card]:
    """The summary."""
    latency, weights = content.latency, content.weights
    ms, total = latency["frame"]["ms"], latency["total"]
    worst = f"p99 {_duration(ms['p99'])}, worst {_duration(ms['max'])}"
    found = [
        Card("median latency of a frame", _duration(ms["p50"]), worst),
        Card("mean cycles of a frame", f"{total['cycles']:,.0f}", f"bound by {total['bound_by']}"),
    ]
    if total["over_ideal"] is not None:
        ideal = f"ideal {total['ideal_cycles']:,.0f} cycles"
        found.append(Card("beside the ideal", f"{total['over_ideal']:.2f} ×", ideal))
    if "utterance" in latency:
        found += _of_utterance(latency["utterance"])
    found.append(_energy(content))
    if weights["bits_per_weight"] is not None:
        bits = f"{weights['bits_per_weight']:.2f} bits each, {weights['sparsity'] or 0:.0%} zeros"
        found.append(Card("weights", f"{weights['weights']:,}", bits))
    sram = content.memory["sram"]
    alive = f"of {sram['size']:,}; alive at once {sram['live']:,}"
    found.append(Card("vector SRAM", f"{sram['used']:,} B", alive))
    found.append(Card("boot", f"{latency['boot_cycles']:,}", "cycles, once"))
    return found


def _duration(milliseconds: float) -> str:
    return f"{milliseconds:,.4g} ms" if milliseconds >= 1 else f"{1e3 * milliseconds:.4g} µs"


def _of_utterance(of: UtteranceFigures) -> list[Card]:
    verdict, tone = ("in time", "good") if of["in_time"] else ("too late", "bad")
    found = [
        Card("deadline", verdict, f"a frame every {of['deadline_ms']:g} ms", tone),
        Card("real-time factor", f"{of['real_time_factor']:.3g}", f"busy {of['busy_share']:.3%}"),
    ]
    if of["phrases"]:
        worst = max(phrase["perceived_ms"] for phrase in of["phrases"])
        found.append(Card("perceived latency", f"{worst:,.0f} ms", "end of speech to last symbol"))
    return found


def _energy(content: Content) -> Card:
    energy = content.latency["total"]["energy_uj"]
    if content.energy_mw is not None:
        return Card("mean power", f"{content.energy_mw:,.3g} mW", "waiting included; estimated")
    largest = max((name for name in energy if name != "total"), key=lambda name: energy[name])
    return Card("energy of a frame", f"{energy['total']:,.3g} µJ", f"estimated; most: {largest}")


def _sections(content: Content) -> Iterator[Section]:
    """The sections one by one; to draw one takes a while."""
    latency = content.latency
    if content.sound is not None:
        yield from _sections_of_sound(content, content.sound)
    yield _section(
        "layers",
        "Where the cycles go",
        "Cycles of a mean frame, layer by layer, by what they are spent on.",
        figures.layers_figure(latency["layers"]),
        {"layers": tables.layers_table(content)},
    )
    yield _section(
        "roofline",
        "What limits the layers",
        "Products of nonzero weights a cycle, over those a byte that is moved; the line is what "
        "lanes and memory allow. The larger the dot, the more cycles. A bank gives its lane 32 "
        "bits a cycle. Layers whose weights stay on the chip move few bytes over the bus, or none; "
        "weights that are streamed count to their layers by their size. They may come while "
        "another layer works: a dot can lie above the line of the bus.",
        figures.roofline_figure(content),
        {"layers with products": tables.roofline_table(content)},
    )
    yield _section(
        "moment",
        "A frame from begin to end",
        f"Of {content.moment.name}: how much of what all lanes could multiply they do, how much of "
        "what the bus could carry it does, and for which layer.",
        figures.moment_figure(content.moment, content.params),
        {"what runs": tables.moment_table(content), "windows": tables.windows_table(content)},
    )
    if content.sram is None:
        text = (
            "An image does not say which buffer lies where: give the model that it was "
            "compiled from."
        )
        yield Section("sram", "What lives in vector SRAM", text, {}, {})
    elif content.sram.ranges:
        yield _section(
            "sram",
            "What lives in vector SRAM",
            "Buffers by address, from their first use to their last, in the order of the program; "
            "pale is what keeps its contents from call to call. Dotted lines stand between the "
            "graphs.",
            figures.sram_figure(content),
            {"buffers": tables.sram_table(content)},
        )
    if content.matrices:
        yield _section(
            "bits",
            "Bits per weight",
            "A dot for each weight matrix: what it takes in memory with code tables, directories "
            "and padding, beside the zeroth-order entropy of its weights. The larger the dot, the "
            "more weights.",
            figures.bits_figure(content.matrices),
            {"matrices": tables.bits_table(content)},
        )


def _sections_of_sound(content: Content, sound: Sound) -> Iterator[Section]:
    """What was heard, when it was told, and what else it may have been."""
    deadline = content.latency["utterance"]["deadline_ms"]
    yield _section(
        "sound",
        "What was heard, and when",
        "The sound as the model hears it, with its symbols at the frames that found them, and "
        f"how long each frame takes; the next one is due after {deadline:g} ms.",
        figures.sound_figure(sound, deadline),
        {"frames": tables.sound_table(content), "symbols": tables.symbols_table(content)},
    )
    yield _section(
        "session",
        "Phrases, as they are told",
        "The sound, and each phrase between where its sound begins and ends. A dashed line is "
        "where it was taken to be over, a solid one where it had ended; red is what was taken "
        "back.",
        figures.session_figure(sound),
        {"what npu listen tells": tables.events_table(content)},
    )
    if sound.lattices:
        yield _section(
            "lattice",
            "What else may have been said",
            "What the beam held for possible, as a graph for each phrase: words between "
            "states, as they came, with the seconds up to which the likeliest path had been "
            "heard. The number of a word is the share of all texts, by their probability, in "
            "which it is said there; the likeliest path is coloured, and a text may end in a "
            "ring. " + left_out_text(sound.lattices),
            lattices_figure(sound.lattices),
            {"words between states": tables.lattices_table(sound)},
        )


def _section(
    key: str, title: str, text: str, drawn: dict[str, str], shown: dict[str, Table]
) -> Section:
    return Section(key, title, text, {size: Markup(svg) for size, svg in drawn.items()}, shown)
