"""Quantiser: layers in float32 become integer operators in the form of TFLite.

ranges    what was seen of a tensor, to the grid of integers that stands for it
parts     layers with their weights, and the grids on which their integers lie
layers    a layer as operators of a model of TFLite
formulas  functions of one value, in TFLM's operators of floats
channels  which channels of a float graph may be scaled together
equalise  channels that differ in size made alike, before there are grids
"""
