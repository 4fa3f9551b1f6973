"""An entry for each graph: the host decides what runs next, and carries what crosses.

For searches on the host (`npu.runtime.host_search`), and for models whose graphs the chip cannot
know how to combine.
"""

from dataclasses import replace
from functools import partial

from compiler.frontends.models import Model
from compiler.programs.graph import one_call, reset
from compiler.programs.program import Border, EntryPoint, Program, Use
from compiler.programs.transducer import HOT, PROBES, transducer_info
from compiler.programs.transducer import borders as transducer_borders
from npu.runtime.header import RESET


def per_graph(model: Model, borders: tuple[Border, ...] = ()) -> Program:
    """The program of a model with any graphs; each entry has the name of its graph's role.

    `borders` say how the graphs of a model that is no transducer fit together; those of a
    transducer are known. Whatever stays on the chip, the source's entry must have run before the
    target's.
    """
    if model.is_transducer:
        crossing = transducer_borders(model)
        borders = tuple(replace(border, on_chip=False) for border in crossing)
    return Program(
        uses=tuple(Use(role, stores=True, probe=PROBES.get(role)) for role in model.graphs),
        entries=(
            EntryPoint(RESET, reset),
            *(EntryPoint(role, partial(one_call, role=role)) for role in model.graphs),
        ),
        borders=borders,
        hot=HOT,
        transducer=transducer_info(model, "encoder") if model.is_transducer else None,
    )
