"""What a command needs beyond the core, and how to get it."""

from __future__ import annotations

from importlib.util import find_spec

from npu.errors import NpuError


def require_extra(extra: str, what: str, *modules: str) -> None:
    """Raise NpuError unless the modules of an extra are installed; `what` needs them."""
    for module in modules:
        if find_spec(module) is None:
            raise NpuError(
                f"{module}, which {what} needs, is not installed; install the extra: "
                f"pip install 'zeroskip[{extra}]'"
            )
