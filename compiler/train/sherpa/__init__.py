"""A transducer in floats, and sherpa-onnx beside it: a decoder that nobody here wrote.

    floats   the network in floats, asked by our searches
    graph    graphs of ONNX, and a network's layers in them
    heads    what makes our features of sherpa-onnx's
    parts    the network as the files that sherpa-onnx takes
    rules    icefall's beam search by the rules that sherpa-onnx follows
    peer     sherpa-onnx, run on them
    results  the schema of what is reported
    compare  its texts beside ours, with the reason where they differ

`graph`, `heads` and `parts` need onnx, `peer` needs sherpa-onnx: the extra `sherpa`.
"""
