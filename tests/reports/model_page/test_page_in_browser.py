"""The page in a browser: nothing fails, nothing is fetched, everything is seen at every width."""

import dataclasses

import pytest

from tests.reports.model_page.browser import chromium
from tests.reports.model_page.pages import HOSTILE, sound_content, with_names

pytest.importorskip("jinja2", reason="the extra `reports` is not installed")
pytest.importorskip("matplotlib", reason="the extra `reports` is not installed")

from reports.model_page.page import page

WIDTHS = (390, 1400)
SECTIONS = ("sound", "session", "layers", "roofline", "moment", "sram", "bits")
CONTRAST = 4.5
"""Of text and what is behind it, at least (WCAG 2, level AA)."""

_LUMINANCE = """
const part = v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const light = text => { const [r, g, b] = text.match(/[\\d.]+/g).map(v => part(v / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
"""


@pytest.fixture(scope="module")
def content(zoo):
    return sound_content(zoo)


@pytest.fixture(scope="module")
def opened(content, tmp_path_factory):
    """Opens a page at a width in a theme; what the browser said, and asked for, beside it."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(page(content), encoding="utf-8")
    hostile = path.with_name("hostile.html")
    hostile.write_text(page(with_names(content)), encoding="utf-8")
    with chromium() as browser:

        def open_page(width, scheme="light", file=path):
            view = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
            said, asked = [], []
            view.on("console", lambda message: said.append(message.text))
            view.on("pageerror", lambda error: said.append(str(error)))
            view.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
            view.on("request", lambda request: asked.append(request.url))
            view.goto(file.as_uri())
            return view, said, asked

        open_page.hostile = hostile
        yield open_page


@pytest.mark.parametrize("width", WIDTHS)
def test_everything_is_seen_at_every_width(opened, width):
    view, said, asked = opened(width)
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    assert view.evaluate("document.documentElement.scrollWidth") == width
    for key in SECTIONS:
        seen = view.evaluate(
            f"[...document.querySelectorAll('#{key} figure svg')]"
            ".map(e => e.getBoundingClientRect()).filter(r => r.width > 0)"
            ".map(r => [r.width, r.height])"
        )
        assert len(seen) == 1 and seen[0][0] > 300 and seen[0][1] > 200, key
        assert view.locator(f"#{key} details table").count() >= 1
    view.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    assert view.evaluate("document.documentElement.scrollWidth") == width


@pytest.mark.parametrize("width", WIDTHS)
def test_texts_of_figures_can_be_read(opened, width):
    view, _, _ = opened(width)
    sizes = view.evaluate(
        "[...document.querySelectorAll('figure svg')].filter(s => s.clientWidth > 0)"
        ".flatMap(s => [...s.querySelectorAll('text')].map(t =>"
        " parseFloat(getComputedStyle(t).fontSize) * s.clientWidth / s.viewBox.baseVal.width))"
    )
    assert len(sizes) > 50 and min(sizes) >= 9


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_in_both_themes(opened, scheme):
    view, _, _ = opened(1400, scheme)
    ratios = view.evaluate(
        f"(() => {{ {_LUMINANCE}"
        "const behind = light(getComputedStyle(document.body).backgroundColor);"
        "const texts = [...document.querySelectorAll('p, h1, h2, summary, td, figure text')];"
        "return texts.map(t => { const s = getComputedStyle(t);"
        " const own = light(t instanceof SVGElement ? s.fill : s.color);"
        " const [a, b] = [own, behind].sort((x, y) => y - x);"
        " return (a + 0.05) / (b + 0.05); }); })()"
    )
    assert len(ratios) > 100 and min(ratios) >= CONTRAST
    dark = view.evaluate(
        f"(() => {{ {_LUMINANCE}"
        "return light(getComputedStyle(document.body).backgroundColor); })()"
    )
    assert (dark < 0.2) == (scheme == "dark")


def test_on_paper_it_is_light_and_whole(opened):
    view, _, _ = opened(1400, "dark")
    view.emulate_media(media="print")
    assert view.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    seen = view.locator("figure svg:visible").count()
    assert seen == len(SECTIONS)
    assert view.pdf(format="A4").startswith(b"%PDF")


def test_names_of_strangers_are_text(opened):
    view, said, asked = opened(390, file=opened.hostile)
    assert said == [] and all(url.startswith(("file:", "data:")) for url in asked)
    assert view.locator("script, iframe, object, main img").count() == 0
    assert HOSTILE in view.locator("h1").inner_text()
    # The label of a layer leaves brackets out.
    assert "<script>alert1</script>" in view.locator("#layers td").first.text_content()
    assert view.evaluate("document.documentElement.scrollWidth") == 390


def test_the_hostile_page_would_show_what_is_not_escaped(content):
    names = dataclasses.asdict(with_names(content).sram.ranges[0])
    assert names["name"] == HOSTILE
