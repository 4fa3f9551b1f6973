"""Float graphs: what ONNX files and PyTorch modules say, before a number of it is an integer.

    graph      nodes with the semantics of ONNX, constants, states, shapes
    files      an ONNX file, checked and with nothing left that a calibration cannot run
    samples    what is calibrated on: arrays by the names of inputs, a call each
    states     which outputs come back as inputs
    trace      a file and its first call: what is constant, what shape the rest has
    write      a float graph as a model of ONNX again
    run        calls of it by onnxruntime, states carried
    tables     a function of one value at some points
    seen       ranges and histograms of values
    rewrite    passes: fewer kinds of node, the same answers

A node's arithmetic is onnxruntime's: nothing here computes a model.
"""
