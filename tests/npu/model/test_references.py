"""Typed references: what of an operator is a tensor follows from its annotations alone."""

from dataclasses import dataclass, replace
from typing import Annotated

import pytest

from npu.model.operators.binary import Add
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm
from npu.model.references import (
    Constant,
    Operand,
    Operator,
    Result,
    Role,
    State,
    operator_inputs,
    operator_outputs,
    operator_states,
)


@dataclass(frozen=True)
class Convolution(Operator):
    """A planted operator with plain integers between its tensors."""

    input: Operand
    stride: int
    padding: tuple[int, int]
    weights: Constant
    biases: tuple[Constant | None, ...]
    memory: State | None
    outputs: tuple[Result, Result]
    groups: int = 1


PLANTED = Convolution("conv", 5, 2, (3, 4), 6, (None, 7), 8, (9, 10), groups=11)


def test_a_stride_is_no_tensor():
    assert operator_inputs(PLANTED) == (5, 6, 7, 8)
    assert operator_states(PLANTED) == (8,)
    assert operator_outputs(PLANTED) == (9, 10)
    assert operator_inputs(replace(PLANTED, memory=None)) == (5, 6, 7)
    assert operator_inputs(replace(PLANTED, stride=5, groups=6)) == (5, 6, 7, 8)


def test_operands():
    dense = FullyConnected("fc", 0, 1, 2, 3)
    assert operator_inputs(dense) == (0, 1, 2) and operator_outputs(dense) == (3,)
    assert operator_inputs(replace(dense, bias=None)) == (0, 1)
    assert operator_inputs(Add("add", 5, 6, 7)) == (5, 6)
    assert operator_states(dense) == ()


def test_states_are_read_but_no_results():
    lstm = Lstm("lstm", 0, (1, 2, 3, 4), (5, 6, 7, 8), (9, None, 10, None), 11, 12, 13, 14.0)
    assert operator_inputs(lstm) == tuple(range(13))
    assert operator_states(lstm) == (11, 12) and operator_outputs(lstm) == (13,)


def test_a_field_with_two_roles_is_refused():
    @dataclass(frozen=True)
    class Odd(Operator):
        both: Annotated[int, Role.STATE, Role.RESULT]

    with pytest.raises(TypeError, match=r"Odd\.both has more than one role"):
        operator_inputs(Odd("odd", 1))
