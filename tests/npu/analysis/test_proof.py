"""Answers against a recording."""

import numpy as np

from npu.analysis.proof import differences


def test_a_missing_answer_counts_as_a_whole():
    assert differences([], np.zeros(7)) == 7
    assert differences([[1, 2]], np.array([[1, 3]])) == 1
