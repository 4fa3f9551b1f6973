"""What an operator is made of: references to tensors, each with its role, and plain values.

A field of an operator is a tensor exactly if its annotation says so; a stride is an `int` and never
becomes one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from enum import Enum
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints


class Role(Enum):
    """What an operator does with a tensor that it names."""

    OPERAND = "operand"
    CONSTANT = "constant"
    STATE = "state"
    VARIABLE = "variable"
    RESULT = "result"


Operand = Annotated[int, Role.OPERAND]
"""Index of a tensor that an operator reads."""

Constant = Annotated[int, Role.CONSTANT]
"""Index of a tensor that an operator reads and that is part of the model."""

State = Annotated[int, Role.STATE]
"""Index of a tensor that an operator reads and updates, and that no other may touch."""

Variable = Annotated[int, Role.VARIABLE]
"""Index of a state that several operators read or update, in the order in which they stand."""

Result = Annotated[int, Role.RESULT]
"""Index of a tensor that an operator computes."""


@dataclass(frozen=True)
class Operator:
    """What every operator has: the name that errors and reports call it by."""

    name: str


def operator_inputs(op: Operator) -> tuple[int, ...]:
    """Tensors that `op` reads, in field order: constants and states too, absent ones left out."""
    return tuple(_referenced(op, Role.OPERAND, Role.CONSTANT, Role.STATE, Role.VARIABLE))


def operator_operands(op: Operator) -> tuple[int, ...]:
    """Tensors that `op` reads and that may be activations or constants."""
    return tuple(_referenced(op, Role.OPERAND))


def operator_states(op: Operator) -> tuple[int, ...]:
    """Tensors that `op` updates in place, in field order."""
    return tuple(_referenced(op, Role.STATE))


def operator_variables(op: Operator) -> tuple[int, ...]:
    """States that `op` shares with other operators."""
    return tuple(_referenced(op, Role.VARIABLE))


def operator_outputs(op: Operator) -> tuple[int, ...]:
    """Tensors that `op` computes; its states are not among them."""
    return tuple(_referenced(op, Role.RESULT))


def renumbered(op: Operator, number: Callable[[int], int]) -> Operator:
    """The same operator on other tensors: `number` gives the new index of each."""

    def new(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(new(each) for each in value)
        return None if value is None else number(value)

    kind: Any = type(op)
    return replace(op, **{name: new(getattr(op, name)) for name, _ in _references(kind)})


def _referenced(op: Operator, *roles: Role) -> Iterator[int]:
    kind: Any = type(op)
    for name, role in _references(kind):
        if role in roles:
            value = getattr(op, name)
            each = value if isinstance(value, tuple) else (value,)
            yield from (index for index in each if index is not None)


@cache
def _references(kind: Any) -> tuple[tuple[str, Role], ...]:
    """The fields of a kind of operator that name tensors, with their roles."""
    hints = get_type_hints(kind, include_extras=True)
    found = []
    for field in fields(kind):
        roles = set(_roles(hints[field.name]))
        if len(roles) > 1:
            raise TypeError(f"{kind.__name__}.{field.name} has more than one role: {roles}")
        found += [(field.name, role) for role in roles]
    return tuple(found)


def _roles(hint: Any) -> Iterator[Role]:
    if get_origin(hint) is Annotated:
        yield from (part for part in hint.__metadata__ if isinstance(part, Role))
    else:
        for part in get_args(hint):
            yield from _roles(part)
