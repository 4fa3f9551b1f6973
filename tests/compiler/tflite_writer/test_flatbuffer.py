"""What is written, read with the schema's own classes."""

import numpy as np
import tflite

from compiler.tflite_writer import ModelSpec, Signature, write


def small() -> ModelSpec:
    m = ModelSpec(name="main", description="made here")
    x = m.tensor((1, 4), scale=0.5, name="x")
    middle = m.tensor((0,), "float32", name="middle", no_buffer=True)
    y, z = m.tensor((1, 4), scale=0.5), m.tensor((1, 4), "int32", ())
    m.operator("TANH", [x], [y], intermediates=[middle], version=2)
    m.operator("TANH", [y], [z])
    m.operator("TANH", [y], [z], version=2)
    m.inputs, m.outputs = [x], [z]
    m.signatures = [Signature("main", 0, {"in": x}, {"out": z})]
    return m


def read(spec: ModelSpec):
    return tflite.Model.GetRootAsModel(write(spec), 0)


def test_names():
    model = read(small())
    graph = model.Subgraphs(0)
    assert (model.Description(), graph.Name()) == (b"made here", b"main")
    assert [graph.Tensors(i).Name() for i in range(4)] == [b"x", b"middle", b"t2", b"t3"]


def test_operators_of_one_kind_and_version_share_a_code():
    model = read(small())
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    assert [(code.BuiltinCode(), code.Version()) for code in codes] == [(28, 2), (28, 1)]
    graph = model.Subgraphs(0)
    assert [graph.Operators(i).OpcodeIndex() for i in range(3)] == [0, 1, 0]


def test_intermediates_have_the_buffer_of_all():
    graph = read(small()).Subgraphs(0)
    assert graph.Operators(0).IntermediatesAsNumpy().tolist() == [1]
    assert graph.Operators(1).IntermediatesLength() == 0
    assert [graph.Tensors(i).Buffer() for i in range(4)] == [1, 0, 3, 4]


def test_no_scale_is_no_table_or_an_empty_one():
    graph = read(small()).Subgraphs(0)
    assert graph.Tensors(1).Quantization() is None
    assert graph.Tensors(3).Quantization().ScaleIsNone()
    assert graph.Tensors(0).Quantization().ScaleAsNumpy() == np.float32(0.5)


def test_signatures_name_the_ends():
    model = read(small())
    (found,) = (model.SignatureDefs(i) for i in range(model.SignatureDefsLength()))
    assert (found.SignatureKey(), found.SubgraphIndex()) == (b"main", 0)
    assert (found.Inputs(0).Name(), found.Inputs(0).TensorIndex()) == (b"in", 0)
    assert (found.Outputs(0).Name(), found.Outputs(0).TensorIndex()) == (b"out", 3)
