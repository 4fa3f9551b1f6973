"""Lattices as JSON has them."""

from collections.abc import Mapping

from npu.analysis.heard_results import LatticeReport, LatticesReport
from npu.speech.lattice import Lattice
from npu.speech.scores import ONE


def lattices_report(lattices: Mapping[str, Lattice]) -> LatticesReport:
    """All of them, by name."""
    return {"lattices": [_report(name, each) for name, each in lattices.items()]}


def _report(name: str, lattice: Lattice) -> LatticeReport:
    return {
        "name": name,
        "states": lattice.states,
        "paths": lattice.paths,
        "total": lattice.total,
        "arcs": [
            {
                "source": arc.source,
                "target": arc.target,
                "word": arc.word,
                "score": (arc.score - arc.bonus) / ONE,
                "bonus": arc.bonus / ONE,
                "posterior": share,
                "start": arc.start,
                "end": arc.end,
            }
            for arc, share in zip(lattice.arcs, lattice.posteriors, strict=True)
        ],
        "ends": [
            {
                "state": state,
                "score": (end.score - end.bonus) / ONE,
                "bonus": end.bonus / ONE,
                "posterior": lattice.end_posteriors[state],
            }
            for state, end in sorted(lattice.ends.items())
        ],
    }
