"""How well confidences tell right words from wrong ones, beside sums by hand."""

from itertools import product

import numpy as np
import pytest

from npu.analysis.confidence import LEAST, confidence_report


def test_what_the_share_of_right_words_says_is_nothing():
    report = confidence_report([0.75] * 4, [True, True, True, False])
    assert report is not None
    assert (report["words"], report["mean"], report["right"]) == (4, 0.75, 0.75)
    assert report["cross_entropy"] == pytest.approx(0) and report["area"] == 0.5


def test_who_knows_tells_all_and_who_errs_misleads():
    right = [True, False, True, False]
    knows = confidence_report([1.0, 0.0, 1.0, 0.0], right)
    errs = confidence_report([0.0, 1.0, 0.0, 1.0], right)
    assert knows is not None and errs is not None
    assert knows["cross_entropy"] == pytest.approx(1 + np.log(1 - LEAST) / np.log(2))
    assert errs["cross_entropy"] < -5 and (knows["area"], errs["area"]) == (1.0, 0.0)


def test_the_area_is_that_of_all_pairs():
    rng = np.random.default_rng(1)
    sure, right = rng.integers(0, 8, 60) / 8, rng.random(60) < 0.6
    report = confidence_report(list(sure), list(right))
    pairs = [(a > b) + (a == b) / 2 for a, b in product(sure[right], sure[~right])]
    assert report is not None and report["area"] == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("right", [[], [True, True], [False]])
def test_where_there_is_nothing_to_tell(right):
    assert confidence_report([0.5] * len(right), right) is None
