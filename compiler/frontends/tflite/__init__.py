"""TFLite flatbuffers to `npu.model.graph.Graph`, through the published schema classes.

`table` is the one place that says which of TFLite's operators run: an operator has a list of
constraints, whose docstrings are the lines of the generated table and the texts of the errors, and
a conversion to an operator of ours. `source` opens a file and believes nothing of it, `tensors`
reads its tensors, `read` puts a graph together, `examine` lists what runs and what does not.
"""
