"""The operators of a graph, a room each: what they are, what is legal, and their integers.

A room holds few kinds of operator that are prepared, lowered and run alike. Its dataclasses name
their tensors by the typed references of `npu.model.references`. `RULES` says what of a kind is
legal (a function of graph and operator that raises `ModelError`), `PARAMETERS` derives its integer
parameters from the scales of a legal graph as TensorFlow Lite Micro does, or None where there are
none. `kernels` and `compiler.lowering` have a room of the same name each; `npu.model.registry`
finds them.
"""
