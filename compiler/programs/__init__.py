"""Programs: which graphs of a model run, how tensors cross between them, where the host may start.

One a file: `graph` runs a single graph, `greedy` searches a transducer in a loop on the chip;
`per_graph` has an entry for each graph, for a search on the host, and `branching` for one with
several hypotheses. `program` says what a program is; the passes know no more of one than that.
"""

from compiler.frontends.models import Model
from compiler.programs.branching import branching
from compiler.programs.graph import graph
from compiler.programs.greedy import greedy
from compiler.programs.per_graph import per_graph
from compiler.programs.program import Border, Program

__all__ = ["Border", "Program", "branching", "default_program", "graph", "greedy", "per_graph"]


def default_program(model: Model) -> Program:
    """What `compile_model` takes for a model where nothing is said."""
    return greedy(model) if model.is_transducer else graph()
