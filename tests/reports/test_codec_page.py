"""The page of the weight codec."""

import json

import pytest

from reports import codec_page


@pytest.mark.skipif(not codec_page.RUN.exists(), reason="no run is recorded")
def test_the_codec_page_shows_the_last_run():
    run = json.loads(codec_page.RUN.read_text(encoding="utf-8"))
    assert codec_page.PAGE.read_text(encoding="utf-8") == codec_page.page(run), (
        "run: python -m reports.codec_page"
    )
