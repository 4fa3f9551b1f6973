"""Lowering: a verified quantised graph becomes chip operators on laid-out buffers.

`site` is where one graph is lowered: its buffers, their layout, and the segment that grows. Each
room of `npu.model.operators` has one of its name here, whose `LOWER` says what the chip does for
its operators: a function of site, operator and integer parameters. `border` is what stands between
graphs, `host` names the tensors that host and chip exchange.
"""
