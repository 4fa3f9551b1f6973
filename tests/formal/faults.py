"""Units with a fault in them, to show that a proof can fail."""

import importlib.util
from types import ModuleType


def faulty(name: str, old: str, new: str) -> ModuleType:
    """The module `name` with `old`, which stands in its source once, replaced by `new`."""
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.loader is not None
    source = spec.loader.get_source(name)
    count = source.count(old)
    if count != 1:
        raise ValueError(f"{name} must hold {old!r} once, not {count} times")
    module = ModuleType(name)
    module.__file__, module.__package__ = spec.origin, name.rpartition(".")[0]
    exec(compile(source.replace(old, new), str(spec.origin), "exec"), module.__dict__)
    return module
