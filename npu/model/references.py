"""What an operator is made of: references to tensors, each with its role, and plain values.

A field of an operator is a tensor exactly if its annotation says so; a stride is an `int` and never
becomes one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum
from functools import cache
from typing import Annotated, Any, get_args, get_origin, get_type_hints


class Role(Enum):
    """What an operator does with a tensor that it names."""

    OPERAND = "operand"
    CONSTANT = "constant"
    STATE = "state"
    RESULT = "result"


Operand = Annotated[int, Role.OPERAND]
"""Index of a tensor that an operator reads."""

Constant = Annotated[int, Role.CONSTANT]
"""Index of a tensor that an operator reads and that is part of the model."""

State = Annotated[int, Role.STATE]
"""Index of a tensor that an operator reads and updates, and that no other may touch."""

Result = Annotated[int, Role.RESULT]
"""Index of a tensor that an operator computes."""


@dataclass(frozen=True)
class Operator:
    """What every operator has: the name that errors and reports call it by."""

    name: str


def operator_inputs(op: Operator) -> tuple[int, ...]:
    """Tensors that `op` reads, in field order: constants and states too, absent ones left out."""
    return tuple(_referenced(op, Role.OPERAND, Role.CONSTANT, Role.STATE))


def operator_states(op: Operator) -> tuple[int, ...]:
    """Tensors that `op` updates in place, in field order."""
    return tuple(_referenced(op, Role.STATE))


def operator_outputs(op: Operator) -> tuple[int, ...]:
    """Tensors that `op` computes; its states are not among them."""
    return tuple(_referenced(op, Role.RESULT))


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
