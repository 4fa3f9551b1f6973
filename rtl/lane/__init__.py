"""A lane: bank, fetch, decoder and multiply-accumulate of one share of the weights.

`lane` wires them: `bank` keeps the weights, `fetch` the bits of the streams in front of the
decoder, `decoder` and its `codetable` turn them into symbols, `activations` is the lane's copy of
the vector. `barrel` gives every lane its thread and its phase.
"""
