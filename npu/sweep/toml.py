"""A chip as the TOML file that describes it."""

import json
from collections.abc import Mapping
from typing import Any

from npu.chip.params import ChipParams


def chip_toml(params: ChipParams, comment: str) -> str:
    """The description that `npu.chip.params.load_params` reads; `comment` before it, by line."""
    lines = [f"# {line}" for line in comment.splitlines()]
    return "\n".join([*lines, *_lines(params.model_dump(mode="json"), "")]) + "\n"


def _lines(values: Mapping[str, Any], table: str) -> list[str]:
    plain = [f"{key} = {_value(v)}" for key, v in values.items() if _is_plain(v)]
    for key, value in values.items():
        if isinstance(value, Mapping) and any(v is not None for v in value.values()):
            plain += ["", f"[{table}{key}]", *_lines(value, f"{table}{key}.")]
    return plain


def _is_plain(value: Any) -> bool:
    return value is not None and not isinstance(value, Mapping)


def _value(value: Any) -> str:
    """JSON writes numbers, truth, lists and strings without surrogates as TOML does."""
    return json.dumps(value, ensure_ascii=False)
