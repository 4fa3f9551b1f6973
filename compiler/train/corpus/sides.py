"""Which side of the corpus a speaker, a sentence, a name or a noise is on.

A hash of what it is decides, so a corpus that grows moves nothing from one side to the other, and
two corpora agree. Speakers that a recipe names are where it says.
"""

import hashlib
import unicodedata
from collections.abc import Mapping

SIDES = ("train", "develop", "test")
KINDS = ("speaker", "sentence", "name", "noise")


def digest(kind: str, what: str) -> str:
    """The hash that stands for it in a split's file: 16 hexadecimal digits."""
    text = unicodedata.normalize("NFC", f"{kind}:{what}")
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def side(kind: str, what: str, shares: Mapping[str, float]) -> str:
    """The side of SIDES.

    Parameters
    ----------
    kind : of KINDS.
    what : the speaker's name, the sentence's text, ...
    shares : of "develop" and "test", 0 .. 1 together; what is left is "train".
    """
    place = int(digest(kind, what), 16) / 2.0**64
    for name in ("test", "develop"):
        if place < shares[name]:
            return name
        place -= shares[name]
    return "train"
