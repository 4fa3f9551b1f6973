"""Quantiser: layers in float32 become integer operators in the form of TFLite.

ranges    what was seen of a tensor, to the grid of integers that stands for it
parts     layers with their weights, and the grids on which their integers lie
layers    a layer as operators of a model of TFLite
channels  which channels of a float graph may be scaled together
correct   biases that give back what rounded weights take on average
equalise  channels that differ in size made alike, before there are grids
"""
