"""A component between registers: what place and route times is only its inside."""

import re

from amaranth.back import verilog
from amaranth.hdl import Cat, ClockDomain, ClockSignal, Module, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

TOP = "timed"
INSTANCE = "dut"
# Amaranth's names of what a layout has at an index, `x[1]`, are what tools that name bits call bit
# 1 of the wire `x` beside it: Yosys' ABC9 joins the two, and stops or drives one twice.
_INDEXED = re.compile(r"\\\S*\[\S*")
_BRACKETS = str.maketrans("[]", "()")


class Timed(wiring.Component):
    """A component between registers, so that every path of its ports lies between two of them.

    Every input bit comes from a stage of a shift register behind the one pin `i`; every output bit
    ends in a register that synthesis must keep. So no pin limits the clock or the size, and the
    wrapper costs `wrapper_bits` flip-flops and no logic.

    Parameters
    ----------
    component : the component to wrap.
    open_ports : how the names of outputs begin that are left open, with the logic that only they
        need.
    clocks : names of inputs that are clocks: all of them are the wrapper's one.
    """

    def __init__(
        self,
        component: wiring.Component,
        open_ports: tuple[str, ...] = (),
        clocks: tuple[str, ...] = (),
    ) -> None:
        self._component, self._clocks = component, clocks
        inputs: list[Value] = []
        outputs: list[Value] = []
        for path, member, port in component.signature.flatten(component):
            if path[0] not in clocks and not str(path[0]).startswith(open_ports):
                side = inputs if member.flow is In else outputs
                side.append(Value.cast(port))
        self._inputs, self._outputs = Cat(inputs), Cat(outputs)
        super().__init__({"i": In(1)} | ({"clk": In(1)} if clocks else {}))

    @property
    def wrapper_bits(self) -> int:
        """Flip-flops of the wrapper."""
        return len(self._inputs) + len(self._outputs)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules[INSTANCE] = self._component
        domain = "sync"
        if self._clocks:  # the component makes domains of its own from them
            domain = "wrapper"
            m.domains += ClockDomain(domain, reset_less=True)
            clocks = [ClockSignal(domain), *(getattr(self._component, n) for n in self._clocks)]
            m.d.comb += [clock.eq(self.clk) for clock in clocks]
        held = Signal(len(self._inputs), reset_less=True)
        seen = Signal(len(self._outputs), reset_less=True, attrs={"keep": 1})
        m.d[domain] += [held.eq(Cat(self.i, held)), seen.eq(self._outputs)]
        m.d.comb += self._inputs.eq(held)
        return m


def to_verilog(timed: Timed) -> str:
    """Verilog of a wrapped component; module TOP. No name of a wire ends like one of a bit."""
    text = verilog.convert(timed, name=TOP, strip_internal_attrs=True, emit_src=False)
    return _INDEXED.sub(lambda name: name.group().translate(_BRACKETS), text)
