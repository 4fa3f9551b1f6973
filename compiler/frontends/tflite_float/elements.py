"""What computes element by element, or along the last axis."""

from typing import Any

import numpy as np

from compiler.frontends.tflite_float.site import ONNX_TYPES, Rule, Site


def _plain(kind: str, **attributes: Any) -> Rule:
    def rule(site: Site) -> None:
        inputs = [site.input(p) for p in range(len(site.inputs))]
        site.finish(kind, inputs, **attributes)

    return rule


def _fused(kind: str, options: str) -> Rule:
    """An operator of two values that may have an activation behind it."""

    def rule(site: Site) -> None:
        told = site.options(options).FusedActivationFunction()
        site.finish(kind, [site.input(0), site.input(1)], told)

    return rule


def _add_n(site: Site) -> None:
    site.finish("Sum", [site.input(p) for p in range(len(site.inputs))])


def _squared_difference(site: Site) -> None:
    gap = site.emit("Sub", [site.input(0), site.input(1)])
    site.finish("Mul", [gap, gap])


def _floor_div(site: Site) -> None:
    """Of integers as of shapes, which are not negative."""
    if site.is_real(0):
        site.finish("Floor", [site.emit("Div", [site.input(0), site.input(1)])])
    else:
        site.finish("Div", [site.input(0), site.input(1)])


def _square(site: Site) -> None:
    site.finish("Mul", [site.input(0), site.input(0)])


def _rsqrt(site: Site) -> None:
    site.finish("Reciprocal", [site.emit("Sqrt", [site.input(0)])])


def _bounded(least: float, most: float) -> Rule:
    def rule(site: Site) -> None:
        site.clipped(site.input(0), least, most, site.output)

    return rule


def _leaky_relu(site: Site) -> None:
    alpha = float(site.options("LeakyReluOptions").Alpha())
    site.finish("LeakyRelu", [site.input(0)], alpha=alpha)


def _softmax(site: Site) -> None:
    beta, value = float(site.options("SoftmaxOptions").Beta()), site.input(0)
    if beta != 1.0:
        value = site.emit("Mul", [value, site.store(beta, np.float32)])
    site.finish("Softmax", [value], axis=-1)


def _gelu(site: Site) -> None:
    """x (1 + erf(x / sqrt 2)) / 2, or with a tanh in its place."""
    x = site.input(0)
    if site.options("GeluOptions").Approximate():
        square = site.emit("Mul", [x, x])
        cube = site.emit("Mul", [square, x])
        bent = site.emit("Mul", [cube, site.store(0.044715, np.float32)])
        inner = site.emit("Add", [x, bent])
        scaled = site.emit("Mul", [inner, site.store(np.sqrt(2 / np.pi), np.float32)])
        curve = site.emit("Tanh", [scaled])
    else:
        curve = site.emit("Erf", [site.emit("Mul", [x, site.store(np.sqrt(0.5), np.float32)])])
    raised = site.emit("Add", [curve, site.store(1.0, np.float32)])
    half = site.emit("Mul", [raised, site.store(0.5, np.float32)])
    site.finish("Mul", [x, half])


def _l2_normalization(site: Site) -> None:
    """x / sqrt(sum of squares along the last axis), which TFLite keeps from 1e-6."""
    x, told = site.input(0), site.options("L2NormOptions").FusedActivationFunction()
    square = site.emit("Mul", [x, x])
    total = site.emit("ReduceSum", [square, site.store([-1])], keepdims=1)
    root = site.emit("Sqrt", [total])
    least = site.emit("Max", [root, site.store(1e-6, np.float32)])
    site.finish("Div", [x, least], told)


def _cast(site: Site) -> None:
    kind = ONNX_TYPES.get(site.written.raw[site.outputs[0]].type)
    if kind is None:
        raise site.refuse(f"it gives {site.written.raw[site.outputs[0]]}; reals and int32 are read")
    site.finish("Cast", [site.input(0)], to=kind)


def _dequantize(site: Site) -> None:
    """DEQUANTIZE and DENSIFY of a constant: what it stands for."""
    data = site.constant(0, "input (of a model that computes in floats)")
    site.written.known[site.outputs[0]] = np.asarray(data, np.float32)


def _reduction(kind: str) -> Rule:
    def rule(site: Site) -> None:
        axes = site.integers(1, "axes")
        keep = int(site.options("ReducerOptions").KeepDims())
        if kind == "ReduceSum":
            site.finish(kind, [site.input(0), site.store(axes)], keepdims=keep)
        else:
            site.finish(kind, [site.input(0)], axes=axes, keepdims=keep)

    return rule


def _not_equal(site: Site) -> None:
    site.finish("Not", [site.emit("Equal", [site.input(0), site.input(1)])])


RULES: dict[str, Rule] = {
    "ADD": _fused("Add", "AddOptions"),
    "SUB": _fused("Sub", "SubOptions"),
    "MUL": _fused("Mul", "MulOptions"),
    "DIV": _fused("Div", "DivOptions"),
    "ADD_N": _add_n,
    "MAXIMUM": _plain("Max"),
    "MINIMUM": _plain("Min"),
    "SQUARED_DIFFERENCE": _squared_difference,
    "FLOOR_DIV": _floor_div,
    "POW": _plain("Pow"),
    "SQUARE": _square,
    "SQRT": _plain("Sqrt"),
    "RSQRT": _rsqrt,
    "NEG": _plain("Neg"),
    "ABS": _plain("Abs"),
    "EXP": _plain("Exp"),
    "LOG": _plain("Log"),
    "SIN": _plain("Sin"),
    "COS": _plain("Cos"),
    "FLOOR": _plain("Floor"),
    "CEIL": _plain("Ceil"),
    "ROUND": _plain("Round"),
    "RELU": _plain("Relu"),
    "RELU6": _bounded(0.0, 6.0),
    "RELU_N1_TO_1": _bounded(-1.0, 1.0),
    "RELU_0_TO_1": _bounded(0.0, 1.0),
    "LEAKY_RELU": _leaky_relu,
    "PRELU": _plain("PRelu"),
    "ELU": _plain("Elu", alpha=1.0),
    "HARD_SWISH": _plain("HardSwish"),
    "GELU": _gelu,
    "LOGISTIC": _plain("Sigmoid"),
    "TANH": _plain("Tanh"),
    "SOFTMAX": _softmax,
    "LOG_SOFTMAX": _plain("LogSoftmax", axis=-1),
    "L2_NORMALIZATION": _l2_normalization,
    "CAST": _cast,
    "DEQUANTIZE": _dequantize,
    "DENSIFY": _dequantize,
    "MEAN": _reduction("ReduceMean"),
    "SUM": _reduction("ReduceSum"),
    "REDUCE_MAX": _reduction("ReduceMax"),
    "REDUCE_MIN": _reduction("ReduceMin"),
    "REDUCE_PROD": _reduction("ReduceProd"),
    "SELECT": _plain("Where"),
    "SELECT_V2": _plain("Where"),
    "EQUAL": _plain("Equal"),
    "NOT_EQUAL": _not_equal,
    "GREATER": _plain("Greater"),
    "GREATER_EQUAL": _plain("GreaterOrEqual"),
    "LESS": _plain("Less"),
    "LESS_EQUAL": _plain("LessOrEqual"),
    "LOGICAL_AND": _plain("And"),
    "LOGICAL_OR": _plain("Or"),
    "LOGICAL_NOT": _plain("Not"),
}
