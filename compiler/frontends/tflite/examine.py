"""Every operator of a TFLite file, and whether it runs here."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from tflite.BuiltinOperator import BuiltinOperator
from tflite.TensorType import TensorType

from compiler.frontends.formats import Verdict
from compiler.frontends.tflite.decided import reason as reason_of
from compiler.frontends.tflite.decisions import Decision
from compiler.frontends.tflite.joined import joined
from compiler.frontends.tflite.opened import Opened, open_subgraph
from compiler.frontends.tflite.operators import refusal, site_of
from compiler.frontends.tflite.resources import Variables
from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.table import SUPPORTED
from compiler.frontends.tflite.table_branches import COMPARISONS
from compiler.frontends.tflite.variables import key_of

_MOST_SHOWN = 8
"""Subgraphs of a model whose operators are listed."""


def examine_tflite(path: str | Path) -> list[Verdict]:
    """Every operator of a `.tflite` model, whether it runs here or not.

    Those of other subgraphs than the first are named with the number of theirs. Raises
    ModelError as `read_tflite` does.
    """
    source = Source(Path(path))
    return source.guarded(lambda: _verdicts(source))


def _verdicts(source: Source) -> list[Verdict]:
    """Every operator, and why it is refused; of many subgraphs those of the first."""
    count = source.open()
    verdicts = []
    for number in range(min(count, _MOST_SHOWN)):
        where = f"subgraph {number}, " if number else ""
        opened = open_subgraph(source, number, "", Variables())
        if number:
            _hand_in(opened)
        found = joined(source, opened.raw)
        runs = found.within | found.at.keys()
        for i in source.operators():
            verdict = _verdict(source, i, opened)
            if i in runs:
                verdict = replace(verdict, reason=None)
            verdicts.append(replace(verdict, name=where + verdict.name))
    return verdicts


def _hand_in(opened: Opened) -> None:
    """An IF may hand variables and comparisons to its graphs: which, a whole model shows."""
    for index in opened.inputs:
        kind = opened.raw[index].type
        if kind == TensorType.RESOURCE:
            opened.variables.handles[index] = ("", "")
        elif kind == TensorType.BOOL and index not in opened.decisions.elsewhere:
            opened.decisions.known[index] = Decision(index, np.zeros(0, bool))


def _verdict(source: Source, index: int, opened: Opened) -> Verdict:
    code, name, table = source.operator(index)
    source.place = name
    tensors, variables = opened.raw, opened.variables
    site = site_of(source, table, code, tensors, variables, opened.decisions)
    site = replace(site, model_inputs=frozenset(opened.inputs))
    operands = ", ".join(map(str, site.present()[:3]))
    if len(site.present()) > 3:
        operands += ", ..."
    if (entry := SUPPORTED.get(code)) is None:
        return Verdict(name, operands, f"not supported: {reason_of(code)}")
    reason = refusal(entry.to_run(), site)
    if code == BuiltinOperator.VAR_HANDLE and reason is None:
        variables.handles[site.outputs[0]] = key_of(site)
    if code in COMPARISONS and reason is None:
        entry.convert(name, site, lambda tensor: tensor)
    return Verdict(name, operands, None if reason is None else f"what runs: {reason}")
