"""The model compiler: quantised graphs in, compressed images for the chip out.

`load_model` reads what a user names, `compile_model` runs the passes (one per file, in the order
that `compiler/compile.py` lists), `compiler.codec` is the weight format on its own.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compiler.compile import check_model, compile_model, refused_operators
    from compiler.frontends.models import Model, examine_model, load_model, model_files

__all__ = [
    "Model",
    "check_model",
    "compile_model",
    "examine_model",
    "load_model",
    "model_files",
    "refused_operators",
]

if not TYPE_CHECKING:  # to a type checker, a name that is not here is a mistake

    def __getattr__(name: str) -> Any:
        # Loaded when first used: `compiler.codec` needs none of the front ends.
        if name in ("check_model", "compile_model", "refused_operators"):
            from compiler import compile as passes

            return getattr(passes, name)
        if name in ("Model", "examine_model", "load_model", "model_files"):
            from compiler.frontends import models

            return getattr(models, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
