"""Signatures: the names of the subgraphs that a model may be called by."""

from typing import Any

from compiler.frontends.tflite.source import Source, printable_name
from npu.errors import ModelError, UnsupportedError
from npu.text import shown

_MOST_SHOWN = 8
_MOST = 64


def chosen(source: Source, subgraphs: int, name: str | None) -> int:
    """The subgraph of a signature; without one the only signature's, or the first.

    Raises
    ------
    ModelError
        If there is no signature of that name, or it has no subgraph.
    UnsupportedError
        If there are several and none is named.
    """
    source.place = "signatures"
    count = source.model.SignatureDefsLength()
    if count > _MOST:
        raise source.damaged(f"it claims {count} signatures, more than {_MOST}")
    found = {}
    for i in range(count):
        signature = source.model.SignatureDefs(i)
        key = (signature.SignatureKey() or b"").decode("utf-8", "replace")
        found[key] = signature.SubgraphIndex()
    told = ", ".join(shown(key[:40]) for key in list(found)[:_MOST_SHOWN])
    if name is not None and name not in found:
        what = f"its signatures are {told}" if found else "it has none"
        raise ModelError(f"{source.name}: there is no signature {shown(name)}; {what}")
    if name is None and len(found) > 1:
        raise UnsupportedError(
            f"{source.name}: it has {len(found)} signatures, {told}; choose one with "
            "--signature NAME"
        )
    number = found[name] if name is not None else next(iter(found.values()), 0)
    if not 0 <= number < subgraphs:
        raise source.damaged(f"there is no subgraph {number}, only {subgraphs}")
    return number


def names_of(source: Source, subgraph: int) -> tuple[dict[int, str], dict[int, str]]:
    """What a signature of this subgraph calls the tensors of its inputs, and of its outputs.

    Both are empty where it has none.
    """
    source.place = "signatures"
    for i in range(source.model.SignatureDefsLength()):
        signature = source.model.SignatureDefs(i)
        if signature.SubgraphIndex() == subgraph:
            ends = (
                (signature.InputsLength(), signature.Inputs),
                (signature.OutputsLength(), signature.Outputs),
            )
            inputs, outputs = (
                {int(one(k).TensorIndex()): _name(one(k)) for k in range(min(count, _MOST))}
                for count, one in ends
            )
            return inputs, outputs
    return {}, {}


def _name(entry: Any) -> str:
    return printable_name((entry.Name() or b"")[:200].decode("utf-8", "replace"))
