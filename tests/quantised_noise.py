"""What a quantised network loses, beside onnxruntime, for the tests of what makes it lose less."""

import numpy as np
import onnxruntime

from compiler.frontends.onnx.noise import integers_of_call, reals_of
from kernels import Interpreter


def signal_to_noise(made, path, data):
    """Decibels, of the output of a quantised model of `x` beside the file's, over calls."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    kernels, graph = Interpreter(made.graph), made.graph
    signal = error = 0.0
    for image in data:
        (wanted,) = session.run(None, {"x": image})
        fed = integers_of_call(image, graph.tensors[graph.inputs[0]])
        found = reals_of(kernels.invoke([fed])[0], graph, graph.outputs[0])
        signal += float(np.sum(wanted**2))
        error += float(np.sum((found - wanted.reshape(-1)) ** 2))
    return 10 * np.log10(signal / error)
