"""A lane's own copy of the input vector."""

from amaranth.hdl import Module, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from npu.chip.params import ChipParams
from npu.chip.weight_format import ACTIVATION_BITS
from rtl.memory.parity import block_ram
from rtl.shared.options import PLAIN, Options

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
    options : Options.

    Members
    -------
    write : In, `activation_write`.
    column : In.
    activation : Out, ACTIVATION_LATENCY cycles after its `column`.
    used : In, only with parity: the activation of this `column` matters.
    wrong : Out, only with parity, see `rtl.memory.parity.ParityRam`.
    """

    def __init__(self, params: ChipParams, options: Options = PLAIN) -> None:
        self._params, self._options = params, options
        super().__init__(
            {
                "write": In(activation_write(params)),
                "column": In(range(params.activation_entries)),
                "activation": Out(signed(ACTIVATION_BITS)),
                **({"used": In(1), "wrong": Out(1)} if options.parity else {}),
            }
        )

    def elaborate(self, platform) -> Module:
        m = Module()
        p = self._params
        ram = block_ram(
            "activations",
            ACTIVATION_BITS,
            p.activation_entries,
            group=p.bus_bytes,
            options=self._options,
        )
        m.submodules[ram.name] = ram
        m.d.comb += [
            ram.write_en.eq(self.write.en),
            ram.write_addr.eq(self.write.addr),
            ram.write_data.eq(self.write.data),
            ram.read_en.eq(1),
            ram.read_addr.eq(self.column),
        ]
        m.d.sync += self.activation.eq(ram.read_data)
        if self._options.parity:
            m.d.comb += [ram.check.eq(self.used), self.wrong.eq(ram.wrong)]
        return m
