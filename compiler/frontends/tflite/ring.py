"""CIRCULAR_BUFFER, a custom operator of TensorFlow Lite Micro's streaming models."""

from dataclasses import replace

import numpy as np
from flatbuffers import flexbuffers
from tflite.TensorType import TensorType

from compiler.frontends.tflite import constraints_moves as must
from compiler.frontends.tflite.convert import Number
from compiler.frontends.tflite.entry import Entry
from compiler.frontends.tflite.site import Site
from npu.model.operators.ring import CircularBuffer

_MAX_OPTIONS = 256
_EVERY_CALL = (5, 13, 25)
"""Lengths at which TFLM goes on in every call where a model does not say. Of other lengths it
decides by how many buffers it has prepared since the program began."""


def _cycles(site: Site) -> int:
    """Every how many calls the operators behind it run; 0 where that is not told."""
    stored = site.custom[:_MAX_OPTIONS]
    told = int(flexbuffers.GetRoot(bytearray(stored)).AsVector[0].AsInt) if stored else 0
    if told <= 0:
        return 1 if site.output().shape[1] in _EVERY_CALL else 0
    return told


def one_image(site: Site) -> bool:
    """the input is [1, 1, n, channels], the output [1, slots, n, channels] and a variable"""
    source, output = site.input(0).shape, site.output().shape
    return (
        len(source) == len(output) == 4
        and source[:2] == (1, 1)
        and output[0] == 1
        and output[2:] == source[2:]
        and site.output().is_variable
    )


def known_cycle(site: Site) -> bool:
    """every how many calls it goes on is told, or it has 5, 13 or 25 slots"""
    return _cycles(site) > 0


def convert(name: str, site: Site, tensor: Number) -> CircularBuffer:
    """In TFLM the output is the state; here both are tensors, and the count is another state."""
    index = site.outputs[0]
    output = site.tensors[index]
    buffer = site.add(output)
    count = site.add(
        replace(
            output,
            name=f"{output.name} count",
            shape=(1,),
            type=TensorType.INT32,
            known=np.zeros(1, np.int32),
        )
    )
    site.tensors[index] = replace(output, is_variable=False)
    return CircularBuffer(
        name, tensor(site.inputs[0]), tensor(buffer), tensor(count), tensor(index), _cycles(site)
    )


RING: dict[str, Entry] = {
    "CIRCULAR_BUFFER": Entry((must.inputs(1), must.types("int8"), one_image, known_cycle), convert),
}
