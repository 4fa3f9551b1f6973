"""Models with several signatures, and with several subgraphs for other reasons."""

from dataclasses import replace

import numpy as np
import pytest

from compiler import load_model
from compiler.frontends import read_tflite
from kernels import Interpreter
from npu.errors import ModelError, UnsupportedError
from tests.conftest import ROOT
from tests.tflite_builder import Signature, random_model, write

MULTISIG = ROOT / "tests" / "vectors" / "refused" / "multisig.tflite"


def test_a_signature_is_chosen():
    found = {name: load_model(MULTISIG, name).graphs["main"] for name in ("dec", "enc")}
    assert [g.tensors[g.outputs[0]].shape for g in found.values()] == [(1, 4), (1, 8)]
    with pytest.raises(UnsupportedError, match='2 signatures, "dec", "enc"; choose one with'):
        load_model(MULTISIG)
    with pytest.raises(ModelError, match='no signature "x"; its signatures are "dec", "enc"'):
        load_model(MULTISIG, "x")


def test_a_model_without_signatures(tmp_path):
    path = tmp_path / "m.tflite"
    spec = random_model("TANH", np.random.default_rng(1))
    path.write_bytes(write(replace(spec, subgraphs=2)))
    x = np.zeros((1, 256), np.int8)
    assert Interpreter(read_tflite(path)).invoke([x])[0].shape == (1, 256)
    with pytest.raises(ModelError, match='there is no signature "a"; it has none'):
        read_tflite(path, "a")
    path.write_bytes(write(replace(spec, signatures=[Signature("a", 1)])))
    with pytest.raises(ModelError, match="signatures: there is no subgraph 1, only 1"):
        read_tflite(path)


def test_what_has_none(zoo):
    with pytest.raises(ModelError, match="a transducer has no signatures"):
        load_model("commands_rnnt", "a")
