"""Front ends: model files to `npu.model.graph.Graph`.

Each is a folder that reads one file format with the library that its community publishes, refuses
what the chip cannot run with the operator's name and place, and hands back a verified graph.
Damaged files give a `ModelError` of one line. `formats` is the table of them, `models` reads what a
user names: a file, a transducer's folder, a model of the zoo. Names are loaded when first used, so
that a reader's library is only needed by those who read that format.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compiler.frontends.tflite.examine import examine_tflite
    from compiler.frontends.tflite.read import read_tflite
    from compiler.frontends.tflite.table import refused_operators, supported_operators

__all__ = ["examine_tflite", "read_tflite", "refused_operators", "supported_operators"]

_HOMES = {
    "examine_tflite": "tflite.examine",
    "read_tflite": "tflite.read",
    "refused_operators": "tflite.table",
    "supported_operators": "tflite.table",
}

if not TYPE_CHECKING:  # to a type checker, a name that is not here is a mistake

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
