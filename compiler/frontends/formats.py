"""The formats of model files: which front end reads a file."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from npu.errors import ModelError
from npu.model.graph import Graph

MAX_FILE_BYTES = 1 << 31
"""The largest model file that is read."""


@dataclass(frozen=True)
class Verdict:
    """An operator of a model, and why it does not run here; None if it does."""

    name: str
    operands: str
    reason: str | None


@dataclass(frozen=True)
class FrontEnd:
    """A format of model files.

    Its two functions are named "module:function" and loaded when they are used, so that a reader's
    library is only needed by those who read that format. Both take a path and raise ModelError for
    a file that is damaged or no model.

    Attributes
    ----------
    reader : gives the verified graph, of the file's name. Raises UnsupportedError for what does not
        run here.
    has_signatures : whether a file may hold several models by name; the reader then takes the name
        as its second argument, too.
    examiner : gives a `Verdict` for every operator, whether it runs here or not.
    """

    reader: str
    examiner: str
    has_signatures: bool = False

    def read(self, path: Path, signature: str | None = None) -> Graph:
        """The graph of a file; of one of its signatures where it has several.

        Raises ModelError for a signature of a format that has none.
        """
        if signature is None:
            return _function(self.reader)(path)
        if not self.has_signatures:
            raise ModelError(f"{path.name}: its format has no signatures to choose from")
        return _function(self.reader)(path, signature)

    def examine(self, path: Path) -> list[Verdict]:
        """The operators of a file."""
        return _function(self.examiner)(path)


def _function(name: str) -> Callable[..., Any]:
    module, _, function = name.partition(":")
    return getattr(import_module(module), function)


TFLITE = FrontEnd(
    reader="compiler.frontends.either:read_either",
    examiner="compiler.frontends.tflite.examine:examine_tflite",
    has_signatures=True,
)

ONNX = FrontEnd(
    reader="compiler.frontends.onnx.read:read_onnx_model",
    examiner="compiler.frontends.onnx.read:examine_onnx",
)

FORMATS = {".tflite": TFLITE, ".onnx": ONNX}
"""Front ends by the suffix of their files."""


def front_end(path: Path) -> FrontEnd:
    """What reads a file. One of no known suffix goes to TFLite's, which says what it may be."""
    return FORMATS.get(path.suffix.lower(), TFLITE)
