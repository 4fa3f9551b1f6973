"""ONNX files: read whole, checked, functions and settled branches written out."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.floats.graph import Array
from npu.errors import ModelError, NpuError, UnsupportedError

if TYPE_CHECKING:
    import onnx

MAX_BYTES = (1 << 31) - 1
"""Of a model with its weights: what a message of protobuf may have."""

OLDEST, MAX_BRANCHES = 11, 64


def library() -> Any:
    """onnx. Raises NpuError with the way out where it is not installed."""
    try:
        import onnx
        import onnx.checker
        import onnx.inliner
    except ImportError as error:
        raise NpuError(
            "reading ONNX models needs the extra `onnx`: pip install 'zeroskip[onnx]'"
        ) from error
    return onnx


def runtime() -> Any:
    """onnxruntime. Raises NpuError with the way out where it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise NpuError(
            "calibrating a float model needs the extra `onnx`: pip install 'zeroskip[onnx]'"
        ) from error
    onnxruntime.set_default_logger_severity(4)
    return onnxruntime


def open_onnx(path: Path) -> onnx.ModelProto:
    """A model with its weights, also of files beside it, of one graph without functions.

    Raises ModelError for what cannot be read, is damaged or too large; UnsupportedError for an
    opset that is too old, or newer than what is installed.
    """
    onnx = library()
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise ModelError(f"{path}: {size:,} bytes; more than 2 GiB are not read")
        model = onnx.load(path, load_external_data=False)
        beside = sum(_bytes_beside(tensor) for tensor in model.graph.initializer)
        if size + beside > MAX_BYTES:
            raise ModelError(
                f"{path}: {size + beside:,} bytes with its external data; more than 2 GiB are not "
                "read"
            )
        onnx.load_external_data_for_model(model, str(path.parent))
        if model.functions:
            model = onnx.inliner.inline_local_functions(model)
        onnx.checker.check_model(model)
    except NpuError:
        raise
    except OSError as error:
        raise ModelError(f"{path}: cannot be read: {error.strerror or error}") from error
    except Exception as error:  # what protobuf and the checker raise has no common class
        raise ModelError(
            f"{path}: no sound ONNX model; fetch or export it again: {_line(error)}"
        ) from error
    version = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
    if version < OLDEST:
        raise UnsupportedError(
            f"{path}: opset {version}; export it with opset {OLDEST} or newer, or convert it with "
            "onnx.version_converter"
        )
    newest = onnx.defs.onnx_opset_version()
    if version > newest:
        raise UnsupportedError(
            f"{path}: opset {version}; the installed onnx knows {newest}: export it with that, or "
            "pip install --upgrade onnx onnxruntime"
        )
    if not model.graph.node:
        raise ModelError(f"{path}: it has no operators; export the model again")
    return model


def free_inputs(model: onnx.ModelProto) -> dict[str, Any]:
    """What a caller gives, as it is declared, by name: inputs that are no stored constants."""
    stored = {tensor.name for tensor in model.graph.initializer}
    return {value.name: value for value in model.graph.input if value.name not in stored}


def _bytes_beside(tensor: Any) -> int:
    """What a tensor of another file takes, as its shape says, or its length where that is more."""
    if tensor.data_location != tensor.EXTERNAL:
        return 0
    said = [int(e.value) for e in tensor.external_data if e.key == "length" and e.value.isdecimal()]
    try:
        width = library().helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
    except KeyError:
        width = 1
    return max([prod(max(0, int(n)) for n in tensor.dims) * width, *said])


def run_once(
    model: onnx.ModelProto, feeds: Mapping[str, Array], wanted: list[str], name: str
) -> dict[str, Array]:
    """The values `wanted` of a call; those that are no tensors are left out.

    Raises ModelError with what onnxruntime said.
    """
    if not wanted:
        # onnxruntime runs no graph without nodes.
        return {}
    onnx, ort = library(), runtime()
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    # Branches that are not settled yet may leave what follows them without a rank.
    needed = [copy.graph.node[at] for at in _needed(model, wanted)]
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in needed]
    del copy.graph.node[:]
    copy.graph.node.extend(kept)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.helper.make_empty_tensor_value_info(each) for each in wanted)
    options = ort.SessionOptions()
    # Names of values survive in a graph that is run as it stands.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = ort.InferenceSession(
            copy.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        takes = {each.name for each in session.get_inputs()}
        found = session.run(wanted, {key: value for key, value in feeds.items() if key in takes})
    except Exception as error:  # onnxruntime's errors have no common class
        raise ModelError(f"{name}: onnxruntime cannot run it: {_line(error)}") from error
    return {key: value for key, value in zip(wanted, found, strict=True) if hasattr(value, "dtype")}


def _needed(model: onnx.ModelProto, wanted: list[str]) -> list[int]:
    """Which nodes values take, in order."""
    names, found = set(wanted), []
    for at in reversed(range(len(model.graph.node))):
        node = model.graph.node[at]
        if names & set(node.output):
            names.update([*node.input, *_outer(node)])
            found.append(at)
    return found[::-1]


def settle_branches(
    model: onnx.ModelProto, feeds: Mapping[str, Array], varying: set[str], name: str
) -> None:
    """Writes out every `If` whose condition does not depend on a call's data, in place.

    varying : names of the inputs with data.

    Raises UnsupportedError for one whose condition does.
    """
    for _ in range(MAX_BRANCHES):
        node = next((n for n in model.graph.node if n.op_type == "If"), None)
        if node is None:
            return
        if node.input[0] in dependent(model, varying):
            raise UnsupportedError(
                f"{name}: node {node.name!r} (If): its condition depends on the data of a call; "
                "the chip runs one program, so export the model with the branch decided"
            )
        value = run_once(model, feeds, [node.input[0]], name)[node.input[0]]
        _write_out(model, node, bool(value.reshape(-1)[0]))
    raise UnsupportedError(f"{name}: more than {MAX_BRANCHES} If nodes")


def _write_out(model: onnx.ModelProto, node: Any, condition: bool) -> None:
    onnx = library()
    wanted = "then_branch" if condition else "else_branch"
    branch = next(a.g for a in node.attribute if a.name == wanted)
    own = {o for n in branch.node for o in n.output} | {t.name for t in branch.initializer}
    renamed = {each: f"{node.name or node.output[0]}/{each}" for each in own if each}
    made = []
    for inner in branch.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(inner)
        copy.name = f"{node.name or node.output[0]}/{inner.name or next(iter(inner.output))}"
        _rename(copy, renamed)
        made.append(copy)
    for tensor in branch.initializer:
        copy = onnx.TensorProto()
        copy.CopyFrom(tensor)
        copy.name = renamed[tensor.name]
        model.graph.initializer.append(copy)
    for result, output in zip(branch.output, node.output, strict=True):
        source = renamed.get(result.name, result.name)
        made.append(onnx.helper.make_node("Identity", [source], [output]))
    at = list(model.graph.node).index(node)
    nodes = [*model.graph.node[:at], *made, *model.graph.node[at + 1 :]]
    kept = [onnx.NodeProto.FromString(each.SerializeToString()) for each in nodes]
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _rename(node: Any, renamed: Mapping[str, str]) -> None:
    """New names for what a node takes and gives, in the graphs within it too."""
    for names in (node.input, node.output):
        names[:] = [renamed.get(each, each) for each in names]
    for attribute in node.attribute:
        if attribute.HasField("g"):
            graph = attribute.g
            own = {o for n in graph.node for o in n.output} | {t.name for t in graph.initializer}
            outer = {name: now for name, now in renamed.items() if name not in own}
            for inner in graph.node:
                _rename(inner, outer)
            for result in graph.output:
                result.name = outer.get(result.name, result.name)


def dependent(model: onnx.ModelProto, varying: set[str]) -> set[str]:
    """Names of the values that depend on the contents of `varying`, those among them."""
    found = set(varying)
    for node in model.graph.node:
        taken = {*node.input, *_outer(node)}
        if node.op_type not in ("Shape", "Size") and taken & found:
            found.update(node.output)
    return found - {""}


def _outer(node: Any) -> set[str]:
    """What the graphs within a node take."""
    graphs = [a.g for a in node.attribute if a.HasField("g")]
    return {name for g in graphs for inner in g.node for name in (*inner.input, *_outer(inner))}


def _line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__
