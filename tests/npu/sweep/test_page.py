"""The table, the picture and the page of a sweep."""

import html
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

pytest.importorskip("pyarrow", reason="the extra `sweep` is not installed")
pytest.importorskip("matplotlib", reason="the extra `sweep` is not installed")

from npu.chip.params import load_params
from npu.sweep.compute import failed
from npu.sweep.folder import Folder, read_rows, row_of
from npu.sweep.page import front_table, note, page, summary
from npu.sweep.pictures import svg
from npu.sweep.point import Point
from npu.sweep.weights import Thinning

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
NAME = 'a<b> & "c"'


def points():
    edge = load_params("edge").model_dump(mode="json")
    return [
        Point("a", NAME, {}, edge | {"lanes": lanes}, Thinning(None, bits), 1)
        for lanes in (1, 2, 4, 8)
        for bits in (None, 4)
    ]


def results(point):
    lanes = point.chip["lanes"]
    if lanes == 8:
        return failed("it is <too> large")
    row = failed("")
    row |= {"error": None, "latency_ms": 1.5 / lanes, "latency_cycles": 6000, "energy_uj": 2.0}
    return row | {"on_chip_bytes": 100_000 * lanes, "area_mm2": 0.5 * lanes, "zeros": 0.75}


@pytest.fixture(scope="module")
def rows():
    return [row_of(point, results(point)) for point in points()]


def test_the_table_holds_what_differs(rows):
    heads, cells = front_table(rows)
    assert heads == ["bits", "lanes", "ms", "cycles", "uJ", "mm2", "memory KiB", "zeros"]
    assert [line[:3] for line in cells] == [
        [bits, lanes, ms]
        for lanes, ms in (("4", "0.3750"), ("2", "0.7500"), ("1", "1.5000"))
        for bits in ("", "4")
    ]
    assert summary(rows).endswith("6 that no other one beats, 2 that failed")
    assert "not that of the trained model" in note(rows)
    assert note([row for row in rows if row["bits"] is None]) is None


def test_the_picture_is_an_svg_in_the_reader_s_colours(rows):
    text = svg(rows)
    root = ET.fromstring(text)
    assert root.tag.endswith("svg") and "prefers-color-scheme:dark" in text
    used = set(re.findall(r"var\((--c\w+)\)", text))
    assert len(used) >= 4 and all(text.count(f"{name}:#") == 2 for name in used)
    # No colour but those that both kinds of pages have.
    assert not re.findall(r"(?:fill|stroke): ?#", text)
    assert svg(rows) == text
    assert ET.fromstring(svg(rows[-1:])).tag.endswith("svg")


def test_the_page_needs_nothing_else(rows):
    text = page(rows, NAME)
    assert "<b>" not in text and "a&lt;b&gt; &amp;" in text and "it is &lt;too&gt; large" in text
    assert not re.findall(r"(?:src|href)=\"(?!#)", text) and "<script" not in text
    assert text.count("<svg") == 2


@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [390, 1400])
def test_the_page_fits_its_window(rows, width, tmp_path):
    # A window of Chromium without a screen is not as narrow as a frame can be.
    inside = html.escape(page(rows, NAME))
    says = (
        "<script>const frame = document.querySelector('iframe'); frame.onload = () => {"
        "const d = frame.contentDocument, all = [...d.querySelectorAll('body *')];"
        "const seen = [...d.querySelectorAll('figure svg')].filter(e => e.clientWidth > 0);"
        "document.title = [frame.contentWindow.innerWidth, d.documentElement.scrollWidth,"
        "seen.length, Math.max(...all.map(e => e.getBoundingClientRect().right))].join(' ')}"
        "</script>"
    )
    path = tmp_path / "outer.html"
    style = f"border:0;width:{width}px;height:900px"
    path.write_text(f'<title></title><iframe style="{style}" srcdoc="{inside}"></iframe>{says}')
    done = subprocess.run(
        [
            BROWSER,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--dump-dom",
            "--window-size=1500,1000",
            f"--user-data-dir={tmp_path}",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    found = re.search(r"<title>(.*?)</title>", done.stdout)[1].split()
    inner, scroll, pictures, right = map(float, found)
    assert inner == width and scroll <= width and right <= width and pictures == 1


def known(row):
    return {name: value for name, value in row.items() if value is not None}


def test_a_folder_is_read_while_it_is_written(tmp_path, rows):
    folder = Folder(tmp_path / "a", points())
    folder.begin(rows[:2])
    assert len(read_rows(tmp_path / "a")) == 2
    folder.add(rows[2:5])
    assert len(read_rows(tmp_path / "a")) == 2
    folder.write()
    folder.write()
    assert [row["key"] for row in read_rows(tmp_path / "a")] == [row["key"] for row in rows[:5]]
    # Another sweep takes up where this one has stopped.
    folder = Folder(tmp_path / "a", points())
    folder.begin(rows[4:0:-1])
    assert len(read_rows(tmp_path / "a")) == 4
    folder.add([*rows[5:], rows[0]])
    folder.end()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["points.parquet"]
    found = read_rows(tmp_path / "a")
    assert [known(row) for row in found] == [known(row) for row in rows]
