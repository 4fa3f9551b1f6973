"""Front ends: model files to `npu.model.graph.Graph`.

Each reads one file format with the library that its community publishes, refuses what the chip
cannot run with the operator's name and place, and hands back a verified graph. Damaged files give
a `ModelError` of one line. Names are loaded when first used, so that a reader's library is only
needed by those who read that format.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compiler.frontends.tflite import (
        MAX_FILE_BYTES,
        Verdict,
        examine_tflite,
        read_tflite,
        supported_operators,
    )

__all__ = ["MAX_FILE_BYTES", "Verdict", "examine_tflite", "read_tflite", "supported_operators"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from compiler.frontends import tflite

        return getattr(tflite, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
