"""Faults in the units that compute: products, requantiser, vector unit."""

from tests.mutation.fault import Fault

COMPUTE = (
    Fault(
        "an add's first summand is taken off the second",
        "alu.py",
        "total.eq(previous + rescale.y)",
        "total.eq(previous - rescale.y)",
        ("alu",),
    ),
    Fault(
        "ties always go away from zero",
        "alu.py",
        "rescale.half_up.eq(control.half_up)",
        "rescale.half_up.eq(0)",
        ("alu",),
    ),
    Fault(
        "the second factor without its offset",
        "alu.py",
        "self.b + control.b_offset",
        "self.b",
        ("alu",),
    ),
    Fault(
        "off-by-one compare: the sigmoid's table ends an entry late",
        "lookup.py",
        ">= ENTRIES - 1)",
        "> ENTRIES - 1)",
        ("alu",),
    ),
)
