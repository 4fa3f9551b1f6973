"""What depends on constants only is worked out while a file is read, by the kernels."""

from dataclasses import replace

import numpy as np

from compiler.frontends.tflite.source import Source
from compiler.frontends.tflite.tensors import RawTensor, graph_tensor
from npu.model.graph import MAX_ELEMENTS, Graph, Tensor
from npu.model.references import (
    Operator,
    operator_inputs,
    operator_outputs,
    operator_states,
    operator_variables,
    renumbered,
)


def fold(source: Source, op: Operator, tensors: list[RawTensor]) -> bool:
    """Make the outputs of an operator constants of the file, if all that it reads are.

    Parameters
    ----------
    op : names its tensors as the file does.
    tensors : those of the file; the outputs are replaced.

    Returns
    -------
    Whether that was done, so that nothing of the operator is left to run.

    Raises
    ------
    ModelError
        If the operator is not legal.
    """
    read = operator_inputs(op)
    kept = (*operator_states(op), *operator_variables(op))
    if kept or not read or not all(tensors[i].is_constant for i in read):
        return False
    outputs = operator_outputs(op)
    used = list(dict.fromkeys((*read, *outputs)))
    place = source.place
    own = [graph_tensor(source, i, tensors[i]) for i in used]
    source.place = place
    if sum(tensor.size for tensor in own) > MAX_ELEMENTS:
        return False
    # A graph has an input; nobody reads this one.
    own.append(Tensor("unread", (1,), "int8", None, None))
    written = tuple(used.index(i) for i in outputs)
    graph = Graph(source.name, tuple(own), (renumbered(op, used.index),), (len(used),), written)
    for index, values in zip(outputs, _run(graph), strict=True):
        values.flags.writeable = False
        tensors[index] = replace(tensors[index], is_constant=True, known=values)
    return True


def _run(graph: Graph) -> list[np.ndarray]:
    # Compiled loops are slow to load, and most models have nothing to fold.
    from kernels import Interpreter

    return Interpreter(graph).invoke([np.zeros(1, np.int8)])
