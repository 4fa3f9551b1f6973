"""From a model to a compiled image: front ends, graph IR, passes, weight codec, emission.

One pass per file; the graph is verified after each. Depends on `npu` and `kernels`.
"""
