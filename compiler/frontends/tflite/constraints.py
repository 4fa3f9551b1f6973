"""Constraints of many operators: which of their forms run.

A constraint's docstring is its line in the README, and its words in errors.
"""

from tflite.TensorType import TensorType

from compiler.frontends.tflite.schema import ACTIVATIONS, DTYPES
from compiler.frontends.tflite.site import Site


def not_compressed(site: Site) -> bool:
    """tensors are not stored in TFLite's own sparse format"""
    return not any(t.is_sparse for t in site.present())


def known_types(site: Site) -> bool:
    """tensors are integers, float32 or bool, and int4 ones constant"""
    found = site.present()
    return all(t.type in DTYPES and (t.type != TensorType.INT4 or t.is_constant) for t in found)


def no_empty_output(site: Site) -> bool:
    """outputs have elements"""
    # TFLM takes another one for a tensor of unknown size; [0] once was the shape of a scalar.
    shapes = [site.tensors[i].shape for i in site.outputs]
    return all(shape == (0,) or 0 not in shape for shape in shapes)


def one_output(site: Site) -> bool:
    """there is one output"""
    return len(site.outputs) == 1 and site.outputs[0] >= 0


def one_input(site: Site) -> bool:
    """there is one input"""
    return len(site.inputs) == 1 and site.given(0)


def two_inputs(site: Site) -> bool:
    """there are two inputs"""
    return len(site.inputs) == 2 and site.given(0, 1)


def input_weights_bias(site: Site) -> bool:
    """there are an input, weights, and possibly a bias"""
    return len(site.inputs) in (2, 3) and site.given(0, 1)


def int8_data(site: Site) -> bool:
    """inputs and outputs are int8"""
    return all(t.type == TensorType.INT8 for t in site.present())


def int16_data(site: Site) -> bool:
    """inputs and outputs are int16 with zero point 0"""
    found = site.present()
    return all(t.type == TensorType.INT16 and not t.is_shifted for t in found)


def int8_or_int16_data(site: Site) -> bool:
    """inputs and outputs are int8, or int16 with zero point 0"""
    return int8_data(site) or int16_data(site)


def int16_of_one_scale(site: Site) -> bool:
    """int16 inputs and output have one scale, where QUANTIZE brings them, and no activation"""
    one_scale = len({t.scale for t in site.present()}) == 1
    return not int16_data(site) or (one_scale and site.activation() == 0)


def int16_within_one(site: Site) -> bool:
    """an int16 output has scale 1/32768"""
    return not int16_data(site) or site.output().scale == 2.0**-15


def int8_data_and_weights(site: Site) -> bool:
    """input and output are int8, weights int8 or int4, the bias int32"""
    data = (site.input(0), site.output())
    bias = site.input(2).type if site.given(2) else TensorType.INT32
    return (
        all(t.type == TensorType.INT8 for t in data)
        and site.input(1).type in (TensorType.INT8, TensorType.INT4)
        and bias == TensorType.INT32
    )


def real_data(site: Site) -> bool:
    """input and output are float32, and int8 before and behind it"""
    return all(t.type == TensorType.FLOAT32 for t in site.present())


def int8_or_real_data(site: Site) -> bool:
    """input and output are int8, or float32 with int8 before and behind it"""
    return int8_data(site) or real_data(site)


def int8_input_and_output(site: Site) -> bool:
    """first input and output are int8"""
    return site.input(0).type == site.output().type == TensorType.INT8


def int8_to_int8_or_int16(site: Site) -> bool:
    """the input is int8, the output int8 or int16"""
    return site.input(0).type == TensorType.INT8 and site.output().type in (
        TensorType.INT8,
        TensorType.INT16,
    )


def int8_to_int32(site: Site) -> bool:
    """the first input is int8, the output int32"""
    return (site.input(0).type, site.output().type) == (TensorType.INT8, TensorType.INT32)


def constant_int32_axes(site: Site) -> bool:
    """the axes are constant int32"""
    return site.input(1).is_constant and site.input(1).type == TensorType.INT32


def constant_weights(site: Site) -> bool:
    """weights and bias are constant"""
    return site.input(1).is_constant and (not site.given(2) or site.input(2).is_constant)


def clamping_activation(site: Site) -> bool:
    """a fused activation is RELU, RELU6 or RELU_N1_TO_1"""
    return site.activation() in ACTIVATIONS


def no_activation(site: Site) -> bool:
    """there is no fused activation"""
    return site.activation() == 0


def int32_indices(site: Site) -> bool:
    """the indices are int32"""
    return site.input(1).type == TensorType.INT32
