"""Whether a JSON report is what its schema, a TypedDict, says."""

import json
from itertools import chain
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict


def faults(value: Any, wanted: Any, place: str = "report") -> list[str]:
    """Where a value from JSON is not of a type; a tuple is a list there, an int a float."""
    origin, args = get_origin(wanted), get_args(wanted)
    if wanted is Any:
        return []
    if is_typeddict(wanted):
        if not isinstance(value, dict):
            return [f"{place} is no object"]
        hints = get_type_hints(wanted)
        found = [f"{place}.{key} is missing" for key in wanted.__required_keys__ - set(value)]
        found += [f"{place}.{key} is unknown" for key in set(value) - set(hints)]
        for key in set(value) & set(hints):
            found += faults(value[key], hints[key], f"{place}.{key}")
        return found
    if origin in (Union, UnionType):
        each = [faults(value, one, place) for one in args]
        return min(each, key=len)
    if origin in (list, tuple) and isinstance(value, list):
        inner = (faults(one, args[0], f"{place}[{index}]") for index, one in enumerate(value))
        return list(chain.from_iterable(inner))
    if origin is dict and isinstance(value, dict):
        inner = (faults(one, args[1], f"{place}.{key}") for key, one in value.items())
        return list(chain.from_iterable(inner))
    if isinstance(wanted, type):
        kinds = {float: (int, float), NoneType: NoneType}.get(wanted, wanted)
        if isinstance(value, kinds) and not (isinstance(value, bool) and wanted is not bool):
            return []
    return [f"{place} is {value!r:.60}, no {wanted}"]


def holds(text: str, schema: Any) -> dict[str, Any]:
    """The report, which must be of the schema."""
    report = json.loads(text)
    assert not faults(report, schema)
    return report
