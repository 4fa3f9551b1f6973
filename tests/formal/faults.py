"""Units with a fault in them, to show that a proof can fail, and units that do nothing."""

import importlib.util
from collections.abc import Sequence
from types import ModuleType

import pytest
from amaranth.hdl import Module


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


def one_in(n: int, faults: Sequence[tuple]) -> list:
    """Every n-th fault for `make test`, all of them for `make formal`.

    That a proof can fail one or two faults show; that each check of it can, all of them, which take
    longer than the proof, and only change with it.
    """
    return [
        pytest.param(*fault, marks=pytest.mark.formal if index % n else ())
        for index, fault in enumerate(faults)
    ]


def stand_in(kind: type, made: list):
    """Makes components like `kind` that drive nothing, for the specification to do it."""

    class StandIn(kind):
        def elaborate(self, platform) -> Module:
            return Module()

    def make(*args):
        made.append(StandIn(*args))
        return made[-1]

    return make
