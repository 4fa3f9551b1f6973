"""A lane's own copy of the input vector."""

from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npu.chip.params import ChipParams
from npu.chip.weight_format import ACTIVATION_BITS
from rtl.memory.ram import block_ram, read_after, write_group

ACTIVATION_LATENCY = 2


def activation_write(params: ChipParams) -> wiring.Signature:
    """bus_bytes activations for every lane, seen from the loader."""
    return wiring.Signature(
        {
            "en": Out(1),
            "addr": Out(range(params.activation_entries // params.bus_bytes)),
            "data": Out(data.ArrayLayout(signed(ACTIVATION_BITS), params.bus_bytes)),
        }
    )


class ActivationCopy(wiring.Component):
    """Written bus_bytes activations per cycle, read one per cycle.

    Parameters
    ----------
    params : ChipParams.

    Members
    -------
    write : In, `activation_write`.
    column : In.
    activation : Out, ACTIVATION_LATENCY cycles after its `column`.
    """

    def __init__(self, params: ChipParams) -> None:
        self._params = params
        super().__init__(
            {
                "write": In(activation_write(params)),
                "column": In(range(params.activation_entries)),
                "activation": Out(signed(ACTIVATION_BITS)),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        memory = block_ram(signed(ACTIVATION_BITS), p.activation_entries)
        m.submodules.memory = memory
        write_group(m, memory, self.write.en, self.write.addr, list(self.write.data))
        m.d.sync += self.activation.eq(read_after(m, memory, self.column))
        return m
