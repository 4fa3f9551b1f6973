"""Every operator has its room in every package that deals with operators, or a named refusal."""

import sys
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

import numpy as np
import pytest

import kernels
from compiler import compile_model, load_model
from compiler.lowering.ir import Segment
from compiler.lowering.site import LOWER, GraphLowering
from kernels import Interpreter
from kernels.interpreter import PREPARE
from npu.chip.params import load_params
from npu.errors import UnsupportedError
from npu.model.graph import Graph, Quantization, Tensor
from npu.model.quantisation import PARAMETERS, integer_parameters, no_parameters
from npu.model.references import Operand, Operator, Result
from npu.model.registry import Registry, kinds, rooms
from npu.model.verify import RULES, verify
from tests.conftest import ROOT

REGISTRIES = [RULES, PARAMETERS, PREPARE, LOWER]


@dataclass(frozen=True)
class Pool(Operator):
    """A planted operator: this module is its room in the model, and it has no other."""

    input: Operand
    output: Result
    stride: int = 2


def homeless(registry: Registry, operators: list[type[Operator]]) -> list[str]:
    """What the registry says of those that have no room, and are not refused by name."""
    found = []
    for kind in operators:
        try:
            registry.find(kind, kind.__name__)
        except UnsupportedError as error:
            if "is not supported: " not in str(error):
                found.append(str(error))
    return found


def every_kind() -> list[type[Operator]]:
    return [kind for room in rooms() for kind in kinds(room)]


def test_all_operators_are_walked():
    assert all(kinds(room) for room in rooms())
    known = {kind.__name__ for kind in every_kind()}
    assert known >= {"FullyConnected", "Lstm", "Gather", "Add", "Tanh", "Quantize", "Reshape"}
    assert len(known) == len(every_kind()) >= 11


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.table)
def test_every_operator_has_its_rooms(registry):
    assert homeless(registry, every_kind()) == []


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.table)
def test_an_operator_without_a_room_is_noticed(registry):
    (found,) = homeless(registry, [*every_kind(), Pool])
    place = f"{registry.package}.test_operator_rooms"
    assert found.startswith(f"Pool: Pool has no entry in {registry.table} of {place}; give it")


def pool_graph() -> Graph:
    scale = Quantization(np.array([0.1], np.float32), 0)
    tensors = tuple(Tensor(name, (1, 8), "int8", scale, None) for name in "xy")
    return Graph("m", tensors, (Pool("pool 3", 0, 1),), (0,), (1,))


@pytest.fixture
def room(monkeypatch):
    """Gives the planted operator's room in a package a table."""

    def build(package: str, **tables: dict) -> None:
        module = ModuleType(f"{package}.test_operator_rooms")
        vars(module).update(tables)
        monkeypatch.setitem(sys.modules, module.__name__, module)

    return build


def lower(graph: Graph) -> None:
    GraphLowering(graph, load_params("tiny"), Segment("main"))


def test_each_pass_fails_loudly_where_its_room_is_missing(room):
    """With the operator's name and the way out, not in silence."""
    model = "npu.model.operators"
    graph = pool_graph()
    message = "m: pool 3: Pool has no entry in {} of {}.test_operator_rooms; give it one there"
    with pytest.raises(UnsupportedError, match=message.format("RULES", model)):
        verify(graph)
    rules = {Pool: lambda graph, op: None}
    room(model, RULES=rules)
    verify(graph)
    for run in (integer_parameters, Interpreter, lower):
        with pytest.raises(UnsupportedError, match=message.format("PARAMETERS", model)):
            run(graph)
    room(model, RULES=rules, PARAMETERS={Pool: no_parameters})
    with pytest.raises(UnsupportedError, match=message.format("PREPARE", "kernels")):
        Interpreter(graph)
    with pytest.raises(UnsupportedError, match=message.format("LOWER", "compiler.lowering")):
        lower(graph)


def test_a_refusal_is_named(room):
    room("compiler.lowering", REFUSED={Pool: "the chip has no window; take an LSTM"})
    assert homeless(LOWER, [Pool]) == []
    with pytest.raises(UnsupportedError, match="m: Pool is not supported: the chip has no window;"):
        LOWER.find(Pool, "m")


def test_an_error_inside_a_room_is_not_taken_for_a_missing_one(monkeypatch, tmp_path):
    (tmp_path / "broken_room.py").write_text('"""A room."""\n\nimport no_such_module\n')
    monkeypatch.setattr(kernels, "__path__", [*kernels.__path__, str(tmp_path)])
    kind = type("Broken", (Pool,), {"__module__": "broken_room"})
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        Registry("kernels", "PREPARE").find(kind, "m")


def test_integer_parameters_are_derived_once(monkeypatch):
    """Of each operator, in a compilation as in an interpreter."""
    derived = []

    def counting(derive):
        def count(graph: Graph, op: Operator):
            derived.append(op.name)
            return derive(graph, op)

        return count

    for room_name in rooms():
        table = import_module(f"npu.model.operators.{room_name}").PARAMETERS
        for kind, derive in table.items():
            monkeypatch.setitem(table, kind, counting(derive))
    model = load_model(ROOT / "tests" / "vectors" / "tflite" / "joint.tflite")
    graph = model.graphs["main"]
    names = [op.name for op in graph.operators]
    for run in (lambda: compile_model(model, load_params("tiny")), lambda: Interpreter(graph)):
        derived.clear()
        run()
        assert derived == names
