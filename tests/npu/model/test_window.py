"""Windows on images: how many there are, and what makes no sense."""

import pytest

from npu.errors import ModelError
from npu.model.window import MAX_SPAN, Window, legal


def window(size=(3, 3), stride=(1, 1), dilation=(1, 1), padding=(0, 0, 0, 0)):
    return Window(size, stride, dilation, padding)


@pytest.mark.parametrize(
    ("made", "image", "positions"),
    [
        (window(), (5, 7), (3, 5)),
        (window(padding=(1, 1, 1, 1)), (5, 7), (5, 7)),
        (window(stride=(2, 3)), (5, 7), (2, 2)),
        (window(stride=(2, 2), padding=(0, 0, 1, 1)), (4, 4), (2, 2)),
        (window(dilation=(2, 1)), (5, 3), (1, 1)),
        (window(), (2, 9), (0, 7)),
        (window(dilation=(9, 9)), (5, 5), (0, 0)),
    ],
)
def test_positions(made, image, positions):
    legal(made)
    assert made.positions(image) == positions


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (window(size=(0, 3)), "its window must be 1 to"),
        (window(stride=(1, 0)), "its stride must be 1 to"),
        (window(dilation=(-1, 1)), "its dilation must be 1 to"),
        (window(dilation=(MAX_SPAN, 1)), "its window spans"),
        (window(padding=(3, 0, 0, 0)), "its padding must be 0 to less than its window's span"),
        (window(padding=(0, 0, 0, -1)), "its padding must be"),
    ],
)
def test_what_makes_no_sense(made, message):
    with pytest.raises(ModelError, match=message):
        legal(made)
