"""Every machine has the one interface: what type checkers see, and what is there at run time."""

import ast
import inspect

import pytest

from npu.chip.machine import Machine, MachineFactory
from npu.twin.machine import Machine as Twin
from rtl.platforms.machine import BoardMachine
from rtl.sim.machine import RtlMachine
from tests.conftest import ROOT

METHODS = [name for name in vars(Machine) if not name.startswith("_")]


def bench_machine():
    """`rtl.cocotb.machine.BenchMachine`, where there is cocotb."""
    pytest.importorskip("cocotb", reason="cocotb is not installed")
    pytest.importorskip("cocotbext.axi", reason="cocotbext-axi is not installed")
    from rtl.cocotb.machine import BenchMachine

    return BenchMachine


@pytest.mark.parametrize(
    "kind", [lambda: Twin, lambda: RtlMachine, lambda: BoardMachine, bench_machine]
)
def test_a_machine_has_all_of_it(kind):
    made = kind()
    attributes = list(Machine.__annotations__)
    for name in METHODS:
        wanted, found = getattr(Machine, name), getattr(made, name, None)
        if found is None:
            attributes.append(name)
        elif isinstance(wanted, property):
            assert isinstance(found, property), name
        else:
            parameters = (inspect.signature(one).parameters for one in (found, wanted))
            assert len({tuple(names) for names in parameters}) == 1, name
    source = inspect.getsource(made.__init__)
    assert all(f"self.{name}" in source for name in attributes)


def test_the_interface_is_no_smaller_than_what_sessions_use():
    """Everything that the host's side asks of `self.machine`."""
    used = set()
    for path in (ROOT / "npu" / "runtime").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value).endswith("machine"):
                used.add(node.attr)
    assert used - {"npu"} <= {*METHODS, *Machine.__annotations__}
    assert {"run", "memory", "registers"} <= used


@pytest.mark.parametrize("kind", [Twin, RtlMachine])
def test_a_factory_takes_what_sessions_give(kind):
    wanted = inspect.signature(MachineFactory.__call__).parameters
    assert set(wanted) - {"self"} <= set(inspect.signature(kind).parameters)
