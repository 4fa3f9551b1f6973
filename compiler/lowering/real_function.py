"""Functions of real numbers: the chip computes with integers."""

from npu.model.operators.real_function import RealFunction

LOWER: dict[type, object] = {}
REFUSED = {
    RealFunction: "the chip computes with integers; it takes the function where int8 is "
    "dequantised before it and quantised behind it, and nobody else reads in between"
}
