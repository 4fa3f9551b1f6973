"""The page of a model: its content is that of the analyses, and names cannot break it."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

pytest.importorskip("jinja2", reason="the extra `reports` is not installed")
pytest.importorskip("matplotlib", reason="the extra `reports` is not installed")

from compiler import compile_model, load_model
from npu.chip.params import load_params
from reports.model_page import figures, tables
from reports.model_page.canvas import NARROW, WIDE, drawings, short
from reports.model_page.content import content_of_frames
from reports.model_page.page import cards, page
from tests.conftest import ROOT
from tests.reports.model_page.pages import (
    HOSTILE,
    beam_content,
    hostile_words,
    sound_content,
    with_names,
)

VECTORS = ROOT / "tests" / "vectors" / "tflite"


@pytest.fixture(scope="module")
def content(zoo):
    return sound_content(zoo)


@pytest.fixture(scope="module")
def layer():
    params = load_params("edge").model_copy(update={"bank_bytes": 8192})
    image = compile_model(load_model(VECTORS / "fc_wide.tflite"), params)
    return content_of_frames(None, image, 2)


@pytest.fixture(scope="module")
def text(content):
    """Its page: to draw one takes seconds."""
    return page(content)


@pytest.fixture(scope="module")
def layer_text(layer):
    return page(layer)


def elements(text):
    """The SVG elements of a page, each well formed."""
    return [ET.fromstring(found) for found in re.findall(r"<svg.*?</svg>", text, re.DOTALL)]


def test_every_figure_is_there_for_both_widths(text):
    drawn = elements(text)
    assert len(drawn) == 14
    widths = [float(svg.attrib["viewBox"].split()[2]) for svg in drawn]
    assert widths == [WIDE, NARROW] * 7


def test_ids_are_unique_and_colours_are_the_pages(text):
    ids = re.findall(r'<[^>]*\bid="([^"]*)"', text)
    assert len(ids) == len(set(ids))
    figure_text = "".join(re.findall(r"<figure.*?</figure>", text, re.DOTALL))
    assert set(re.findall(r"(?:fill|stroke): (#\w+)", figure_text)) == set()
    assert 'font-size="' not in figure_text or "<text" in figure_text


def test_a_page_asks_for_nothing(text):
    assert "<script" not in text and "@import" not in text
    assert all(url.startswith(("data:", "#")) for url in re.findall(r'href="([^"]*)"', text))
    assert re.findall(r'\bsrc="', text) == []


def test_the_same_content_is_the_same_page(layer, layer_text):
    assert page(layer) == layer_text


def test_names_of_strangers_are_escaped(content):
    text = page(with_names(content))
    assert "<script" not in text and "<img" not in text and "&lt;script&gt;" in text
    assert len(elements(text)) == 14


def test_a_beam_has_its_lattice_and_its_cycles(zoo):
    content = beam_content(zoo)
    text = page(content)
    drawn = elements(text)
    assert len(drawn) == 16 and "What else may have been said" in text
    ((said, lattice),) = content.sound.lattices
    svg = "".join(drawn[4].itertext())
    for word in said.split():
        assert f"{word} 1.00" in svg or f"{word} 0.9" in svg
    for arc in lattice.arcs:
        assert arc.word in svg
    table = tables.lattices_table(content.sound)
    assert len(table.rows) == len(lattice.arcs)
    assert [row[0] for row in table.rows if row[1]] == said.split()
    shown = [int(row[1].replace(",", "")) for row in tables.sound_table(content).rows]
    assert max(shown) == content.latency["frame"]["cycles"]["max"]


def test_words_of_a_lattice_are_escaped(zoo):
    text = page(hostile_words(beam_content(zoo)))
    assert "<script" not in text and "<img" not in text
    assert len(elements(text)) == 16


def test_cards_say_what_the_latency_says(content):
    shown = {card.name: card.value for card in cards(content)}
    total = content.latency["total"]
    assert shown["mean cycles of a frame"] == f"{total['cycles']:,.0f}"
    assert shown["deadline"] == "in time"
    assert shown["weights"] == f"{content.weights['weights']:,}"
    # A millijoule a second.
    utterance = content.latency["utterance"]
    mj = total["energy_uj"]["total"] * content.latency["frames"] / 1e3
    assert content.energy_mw == pytest.approx(mj / (utterance["audio_ms"] / 1e3))


def test_an_image_has_no_map_of_its_sram(layer, layer_text):
    assert "An image does not say which buffer lies where" in layer_text
    assert layer.sram is None and layer.sound is None and "Transcript" not in layer_text
    assert len(elements(layer_text)) == 8
    assert "energy of a frame" in {card.name for card in cards(layer)}


def test_tables_hold_what_the_figures_show(content):
    latency = content.latency
    rows = tables.layers_table(content).rows
    assert len(rows) == len(latency["layers"])
    shown = sum(int(row[2].replace(",", "")) for row in rows)
    assert shown == pytest.approx(latency["total"]["cycles"], abs=len(rows))
    found = "".join(row[0] for row in tables.symbols_table(content).rows)
    assert found.split() == " ".join(p["text"] for p in latency["utterance"]["phrases"]).split()
    assert len(tables.sram_table(content).rows) == len(content.sram.ranges)
    assert len(tables.bits_table(content).rows) == len(content.matrices)


def test_the_moment_is_the_slowest_frame(content):
    moment = content.moment
    assert moment.cycles == content.latency["frame"]["cycles"]["max"]
    assert moment.work[0][0] == moment.begin
    assert moment.work[-1][1] == moment.begin + moment.cycles
    for before, behind in zip(moment.work, moment.work[1:], strict=False):
        assert before[1] == behind[0] and before[2] != behind[2]


def test_buffers_that_live_together_do_not_overlap(content):
    sram = content.sram
    assert max(each.address + each.n_bytes for each in sram.ranges) == sram.used_bytes
    assert sram.used_bytes == content.memory["sram"]["used"]
    ends = figures.step_cycles(content)
    assert len(ends) == len(sram.steps) + 1 and (np.diff(ends) > 0).all()
    total = content.latency["total"]["cycles"]
    assert total - 200 < ends[-1] < total + len(sram.steps)


def test_streamed_weights_count_to_their_layer(layer, content):
    """All that goes over the bus in a frame goes to a layer."""
    for each in (layer, content):
        moved = each.latency["total"]["memory_bytes"]
        assert sum(each.bus_bytes) == pytest.approx(
            moved["external read"] + moved["external written"]
        )
    row = next(row for row in tables.roofline_table(layer).rows if "FULLY" in row[0])
    assert int(row[3].replace(",", "")) > 100_000


def test_many_layers_share_a_bar(content):
    layers = content.latency["layers"] * 5
    drawn = figures.layers_figure(layers)["wide"]
    assert f"{len(layers) - figures.MOST_LAYERS} others" in drawn


def test_a_table_that_is_too_long_says_so(monkeypatch):
    monkeypatch.setattr(tables, "MOST_ROWS", 2)
    assert tables.Table.of(["a"], [["1"], ["2"], ["3"]]).left_out == 1


def test_letters_follow_on_one_another_where_there_is_no_room():
    symbols = [(0.0, "ab"), (0.1, "c"), (2.0, " d")]
    assert figures._apart(symbols, 0.1) == [(0.0, "abc"), (2.0, "d")]


def test_no_mathematics_is_read_in_a_name():
    drawn = drawings("x", lambda figure, narrow: figure.text(0, 0, HOSTILE), lambda narrow: 50)
    (text,) = ET.fromstring(drawn["wide"]).findall(".//{*}text")
    assert text.text == HOSTILE


@pytest.mark.parametrize(
    ("text", "most", "expected"),
    [("abcdef", 6, "abcdef"), ("abcdefg", 6, "ab…efg"), ("a\n\u202e", 20, "a\\n\\u202e")],
)
def test_long_names_are_cut_in_their_middle(text, most, expected):
    assert short(text, most) == expected
