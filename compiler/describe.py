"""What is in a model, as the report of `npu inspect`."""

from typing import Any, NamedTuple, NotRequired, TypedDict

import numpy as np

from compiler.codec import entropy_bits
from compiler.frontends.models import Model
from npu.model.graph import Graph, Quantization, Tensor
from npu.model.references import operator_outputs


class QuantizationReport(TypedDict):
    """`axis` is None for one scale of the whole tensor."""

    scale: list[float]
    zero_point: int
    axis: int | None


class TensorReport(TypedDict):
    """A tensor; `kind` is "constant", "state" or "activation". The last three are of constants."""

    name: str
    kind: str
    dtype: str
    shape: tuple[int, ...]
    quantization: QuantizationReport | None
    nonzeros: NotRequired[int]
    sparsity: NotRequired[float]
    entropy_bits_per_weight: NotRequired[float]


class OperatorReport(TypedDict):
    """An operator, with the number and the shape of its output."""

    name: str
    output: int
    shape: tuple[int, ...]


class GraphReport(TypedDict):
    """A graph; `parameters` are the elements of its constants."""

    file: str
    inputs: list[int]
    outputs: list[int]
    parameters: int
    operators: list[OperatorReport]
    tensors: list[TensorReport]


class ModelReport(TypedDict):
    """`npu inspect` of a model; the last two of a transducer."""

    model: str
    kind: str
    sources: dict[str, str]
    graphs: dict[str, GraphReport]
    config: NotRequired[dict[str, Any]]
    symbols: NotRequired[list[str]]


def model_report(model: Model) -> ModelReport:
    """Every graph with its operators and tensors."""
    report: ModelReport = {
        "model": model.name,
        "kind": "transducer" if model.is_transducer else "graph",
        "sources": model.sources,
        "graphs": {role: _graph_report(graph) for role, graph in model.graphs.items()},
    }
    if model.config is not None and model.tokens is not None:
        report["config"] = model.config.model_dump(mode="json")
        report["symbols"] = list(model.tokens.symbols)
    return report


class Size(NamedTuple):
    """Of a model: its parameters, and the share of zeros among its int8 weights."""

    parameters: int
    zeros: float


def size_of(model: Model) -> Size:
    """Count the constants of all graphs."""
    data = [t.data for g in model.graphs.values() for t in g.tensors if t.data is not None]
    weights = [each for each in data if each.dtype == np.int8]
    zeros = sum(each.size - int(np.count_nonzero(each)) for each in weights)
    return Size(sum(each.size for each in data), zeros / sum(each.size for each in weights))


def _graph_report(graph: Graph) -> GraphReport:
    tensors = [_tensor_report(tensor) for tensor in graph.tensors]
    return {
        "file": graph.name,
        "inputs": list(graph.inputs),
        "outputs": list(graph.outputs),
        "parameters": sum(t.size for t in graph.tensors if t.is_constant),
        "operators": [
            {"name": op.name, "output": output, "shape": graph.tensors[output].shape}
            for op in graph.operators
            for output in operator_outputs(op)
        ],
        "tensors": tensors,
    }


def _tensor_report(tensor: Tensor) -> TensorReport:
    kind = "constant" if tensor.is_constant else "state" if tensor.is_state else "activation"
    report: TensorReport = {
        "name": tensor.name,
        "kind": kind,
        "dtype": tensor.dtype,
        "shape": tensor.shape,
        "quantization": _quantization_report(tensor.quantization),
    }
    if tensor.data is not None and tensor.data.size:
        nonzeros = int(np.count_nonzero(tensor.data))
        report["nonzeros"] = nonzeros
        report["sparsity"] = 1 - nonzeros / tensor.size
        if tensor.dtype == "int8":
            report["entropy_bits_per_weight"] = entropy_bits(tensor.data) / tensor.size
    return report


def _quantization_report(quantization: Quantization | None) -> QuantizationReport | None:
    if quantization is None:
        return None
    return {
        "scale": [float(scale) for scale in quantization.scale],
        "zero_point": quantization.zero_point,
        "axis": None if quantization.per_tensor else quantization.axis,
    }
