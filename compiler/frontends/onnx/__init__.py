"""Float models: ONNX files, calibrated and quantised here into models of TFLite.

quantised   a file and its calibration data, to an integer model and its noise
noise       how far the integers are from the floats, value by value
read        what `load_model` does with a file, the data beside it
transducer  a folder of encoder, decoder, joiner and tokens
"""
