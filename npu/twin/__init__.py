"""The chip in software: a model that counts every cycle and computes every bit.

`machine` fetches commands and hands them to the units, which share a `state`: `scalar`, `transfers`
(with the queue of `dma`, and `tile`, which deals what comes), `products` and `vectors`. A product
is three things that know nothing of one another: what its `streams` hold, how long the lanes take
over them (`npu.chip.cost`), and what comes out (`product`, or `windows` at many positions, with the
`records` of its rows);
`matvec` makes a plan of them, which `products` keeps as long as `loaded` knows the weights.
"""
