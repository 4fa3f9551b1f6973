"""AXI4 and AXI4-Lite as bundles of streams (ARM IHI 0022, issue H).

Only what the chip uses: bursts of type INCR over whole bus words, one identifier (0), so that
responses come in order. `valid` stays and the payload is stable until `ready`, as for every stream
here.
"""

from enum import IntEnum

from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

ADDRESS_BITS = 32
BURST_INCR = 1
# Normal memory, modifiable and bufferable; unprivileged, secure data.
CACHE = 0b0011
PROT = 0b000
RESPONSE_BITS = 2


class Response(IntEnum):
    """Answers of a subordinate; anything with bit 1 set is an error."""

    OKAY = 0
    EXOKAY = 1
    SLVERR = 2
    DECERR = 3


def address_layout() -> data.StructLayout:
    """Payload of AXI4's address channels: `len` counts beats less one, `size` is log2 of bytes."""
    return data.StructLayout(
        {
            "id": 1,
            "addr": ADDRESS_BITS,
            "len": 8,
            "size": 3,
            "burst": 2,
            "cache": 4,
            "prot": 3,
        }
    )


def write_layout(bus_bytes: int) -> data.StructLayout:
    """Payload of the write channel."""
    return data.StructLayout({"data": 8 * bus_bytes, "strb": bus_bytes, "last": 1})


def response_layout() -> data.StructLayout:
    """Payload of the write response channel."""
    return data.StructLayout({"id": 1, "resp": RESPONSE_BITS})


def read_layout(bus_bytes: int) -> data.StructLayout:
    """Payload of the read channel."""
    return data.StructLayout({"id": 1, "data": 8 * bus_bytes, "resp": RESPONSE_BITS, "last": 1})


def axi4(bus_bytes: int) -> wiring.Signature:
    """An AXI4 bus of `bus_bytes`, seen from the manager."""
    return wiring.Signature(
        {
            "aw": Out(stream.Signature(address_layout())),
            "w": Out(stream.Signature(write_layout(bus_bytes))),
            "b": In(stream.Signature(response_layout())),
            "ar": Out(stream.Signature(address_layout())),
            "r": In(stream.Signature(read_layout(bus_bytes))),
        }
    )


def beat_size(bus_bytes: int) -> int:
    """The `size` of a beat that fills the bus."""
    return exact_log2(bus_bytes)


def axi4_lite(address_bits: int) -> wiring.Signature:
    """An AXI4-Lite bus with 32-bit data, seen from the manager."""
    address = data.StructLayout({"addr": address_bits, "prot": 3})
    return wiring.Signature(
        {
            "aw": Out(stream.Signature(address)),
            "w": Out(stream.Signature(data.StructLayout({"data": 32, "strb": 4}))),
            "b": In(stream.Signature(data.StructLayout({"resp": RESPONSE_BITS}))),
            "ar": Out(stream.Signature(address)),
            "r": In(stream.Signature(data.StructLayout({"data": 32, "resp": RESPONSE_BITS}))),
        }
    )
