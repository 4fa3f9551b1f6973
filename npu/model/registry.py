"""Rooms of operators: how each part of the project finds what it does with an operator.

An operator lives in a room: a module of `npu.model.operators` that holds its dataclass. Every
package that deals with operators has a module of the room's name, and in it a table by kind of
operator. Adding an operator is adding to one room in each package; nothing else lists operators.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from npu.errors import UnsupportedError
from npu.model import operators
from npu.model.graph import Graph
from npu.model.references import Operator

REFUSED = "REFUSED"
"""Name of the table by which a room refuses a kind of operator: its reason, with the way out."""


def rooms() -> list[str]:
    """The names of all rooms."""
    return sorted(module.name for module in iter_modules(operators.__path__))


def kinds(room: str) -> list[type[Operator]]:
    """The operators that live in a room."""
    module = import_module(f"{operators.__name__}.{room}")
    return [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, Operator)
        and kind.__module__ == module.__name__
    ]


@dataclass(frozen=True)
class Registry:
    """One package's tables of operators.

    Attributes
    ----------
    package : where the rooms are, such as "compiler.lowering".
    table : name of the table in each room; it maps a kind of operator to a function.
    """

    package: str
    table: str

    def functions(self, graph: Graph) -> tuple[Callable[..., Any], ...]:
        """The function of each operator of a graph, in the graph's order. Raises as `find`."""
        return tuple(self.find(type(op), f"{graph.name}: {op.name}") for op in graph.operators)

    def find(self, kind: type[Operator], where: str) -> Callable[..., Any]:
        """The function of a kind of operator.

        Raises
        ------
        UnsupportedError
            If its room refuses it, or if the package has no room or no entry for it. The message
            begins with `where`.
        """
        room = kind.__module__.rpartition(".")[2]
        place = f"{self.package}.{room}"
        module = self._room(place)
        if (reason := getattr(module, REFUSED, {}).get(kind)) is not None:
            raise UnsupportedError(f"{where}: {kind.__name__} is not supported: {reason}")
        function = getattr(module, self.table, {}).get(kind)
        if function is None:
            raise UnsupportedError(
                f"{where}: {kind.__name__} has no entry in {self.table} of {place}; give it one "
                f"there, or a reason in {REFUSED}"
            )
        return function

    def _room(self, place: str) -> ModuleType | None:
        try:
            return import_module(place)
        except ModuleNotFoundError as error:
            if error.name != place:
                raise
            return None
