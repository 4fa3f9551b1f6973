"""Float models of TFLite, weights in float32, float16 or int8, as float graphs.

An operator becomes nodes of ONNX with the same answers; images are turned to ONNX's NCHW around
windows, which the quantiser cancels. What is constant is found by running a call, as for ONNX.

read        a file and its calibration data, to a traced float graph
site        an operator while it is read: its operands, its options, the nodes it becomes
constants   what constants hold as real numbers
sparse      constants in TFLite's own sparse format, written out
variables   states: variables of operators, and resources
table       rules by operator
elements    what computes element by element
moves       what moves elements
windows     convolutions and pools
resizes     images in another size
products    matrices and LSTM layers
"""
