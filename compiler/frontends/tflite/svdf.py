"""SVDF: its inputs by position, their constraints, and the conversion."""

from tflite.TensorType import TensorType

from compiler.frontends.tflite.convert import Number
from compiler.frontends.tflite.site import Site
from npu.model.operators.svdf import Svdf

_INPUT, _FEATURE, _TIME, _BIAS, _STATE = range(5)


def inputs(site: Site) -> bool:
    """there are an input, feature and time weights, a bias and a state"""
    # TFLM crashes where the bias is absent.
    return len(site.inputs) == 5 and site.given(*range(5))


def types(site: Site) -> bool:
    """input, feature weights and output are int8, the bias int32, time weights and state alike"""
    int8 = (site.input(_INPUT), site.input(_FEATURE), site.output())
    return (
        all(t.type == TensorType.INT8 for t in int8)
        and site.input(_BIAS).type == TensorType.INT32
        and site.input(_TIME).type in (TensorType.INT8, TensorType.INT16)
        and site.input(_STATE).type == site.input(_TIME).type
    )


def constant_weights(site: Site) -> bool:
    """weights and bias are constant, and each weight matrix has one scale"""
    weights = site.input(_FEATURE), site.input(_TIME)
    return site.input(_BIAS).is_constant and all(t.is_constant and t.scales == 1 for t in weights)


def variable_state(site: Site) -> bool:
    """the state is a variable tensor"""
    return site.input(_STATE).is_variable


def with_options(site: Site) -> bool:
    """options say the rank"""
    return site.options is not None and site.options.Rank() >= 1


CONSTRAINTS = (inputs, types, constant_weights, variable_state, with_options)


def convert(name: str, site: Site, tensor: Number) -> Svdf:
    """TFLM takes no notice of a fused activation."""
    x, feature, time, bias, state = (tensor(i) for i in site.inputs)
    return Svdf(name, x, feature, time, bias, state, tensor(site.outputs[0]), site.options.Rank())
