"""How well confidences tell right words from wrong ones."""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
from scipy.stats import rankdata

LEAST = 0.001
"""A confidence counts as no less than this, and no more than 1 less this: else one sure error would
cost infinitely much."""


class ConfidenceReport(TypedDict):
    """Confidences of the words that were heard.

    Attributes
    ----------
    words : how many. mean : of their confidences; right : the share that is right. Alike in a
        model that knows how often it errs.
    cross_entropy : NIST's normalised cross entropy: what confidences say of words being right, as a
        share of what there is to know; 1 is all of it, 0 no more than the share of right words
        does, and less than 0 misleads.
    area : that of two words, a right one and a wrong one, the right one has the larger confidence:
        the area under the ROC curve, 0.5 by chance.
    """

    words: int
    mean: float
    right: float
    cross_entropy: float
    area: float


def confidence_report(sure: Sequence[float], right: Sequence[bool]) -> ConfidenceReport | None:
    """Of words, how sure each is (0 to 1), and whether it is right.

    None where all are right or all wrong: then there is nothing to tell.
    """
    p, is_right = np.asarray(sure, np.float64), np.asarray(right, bool)
    count, hits = len(is_right), int(is_right.sum())
    if hits in (0, count):
        return None
    share = hits / count
    kept = np.clip(p, LEAST, 1 - LEAST)
    told = np.log(np.where(is_right, kept, 1 - kept)).mean()
    most = share * np.log(share) + (1 - share) * np.log(1 - share)
    # Mann and Whitney's U, by ranks.
    above = rankdata(p)[is_right].sum() - hits * (hits + 1) / 2
    return {
        "words": count,
        "mean": float(p.mean()),
        "right": share,
        "cross_entropy": float(1 - told / most),
        "area": float(above / (hits * (count - hits))),
    }
