"""What a simulation says of itself: which image and inputs it ran, and whether all was equal."""

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


def digest(raw: bytes) -> str:
    """The name of a content."""
    return hashlib.sha256(raw).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """The bench writes it when it starts, not yet `equal`, and again when all was compared.

    Attributes
    ----------
    image, inputs : digests of the files that were simulated.
    calls : how many.
    equal : whether the chip equals the twin.
    """

    image: str
    inputs: str
    calls: int
    equal: bool = False

    def write(self, path: Path) -> None:
        whole = path.with_suffix(".tmp")
        whole.write_text(json.dumps(asdict(self)), encoding="utf-8")
        os.replace(whole, path)

    @staticmethod
    def read(path: Path) -> "Verdict":
        """Raises OSError or ValueError where there is none."""
        try:
            return Verdict(**json.loads(path.read_text(encoding="utf-8")))
        except TypeError as error:
            raise ValueError(f"{path} is no verdict: {error}") from error
