"""From an Amaranth component to Verilog text."""

from collections import defaultdict
from collections.abc import Mapping

from rtl.verilog import comments
from rtl.verilog.liveness import live_bits, live_ports, pruned
from rtl.verilog.names import instance_names, module_names
from rtl.verilog.netlist import CLOCK_GATE, Module, macro_of, read
from rtl.verilog.nets import Nets
from rtl.verilog.sharing import share
from rtl.verilog.writer import Writer

HEADER = "// Written by zeroskip from its Amaranth sources. Verilog 2005.\n"


def convert(
    component,
    name: str,
    header: str = HEADER,
    groups: Mapping[str, str] | None = None,
    domains: Mapping[str, str] = comments.DOMAIN,
) -> str:
    """The Verilog of an Amaranth component, as module `name`; the same text every time.

    Parameters
    ----------
    header : comment at the top of the file.
    groups : titles of groups of ports of the top module by what their names begin with, in the
        order in which they shall stand there; ports of no group come last.
    domains : what clocks and resets are, by their names in the modules.
    """
    return written(shared(component, name), name, header, groups, domains)


def shared(component, name: str) -> dict[str, Module]:
    """The modules of an Amaranth component, each once, those below others first."""
    return share(read(component, name), name)


def written(
    modules: dict[str, Module],
    name: str,
    header: str = HEADER,
    groups: Mapping[str, str] | None = None,
    domains: Mapping[str, str] = comments.DOMAIN,
) -> str:
    """The Verilog of `shared` modules, see `convert`."""
    ports = live_ports(modules, name)
    names = module_names(modules, name)
    pins: dict[str, Nets] = {}
    texts = []
    places = {key: instance_names(module) for key, module in modules.items()}
    hidden: dict[str, set[str]] = defaultdict(set)
    for key, module in modules.items():
        for cell in module.cells:
            if cell.is_instance:
                hidden[cell.kind].add(places[key][cell.name])
    for key, module in modules.items():
        live = live_bits(module, ports[key], ports)
        module = pruned(module, live, ports)
        taken = [*places[key].values(), *sorted(hidden[key])]
        nets = Nets(module, live, ports[key], key == name or macro_of(key) is not None, taken)
        pins[key] = nets
        writer = Writer(module, nets, live, names, pins, places[key])
        if macro_of(key) == CLOCK_GATE:
            texts.append(writer.clock_gate(domains))
        else:
            texts.append(writer.text(groups or {} if key == name else {}, domains))
    return header + "\n" + "\n".join(reversed(texts))
