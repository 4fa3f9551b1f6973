"""Compiled images: the same bytes, every check with its message, and hostile files."""

import json
import re
import resource
import zlib

import numpy as np
import pytest
from safetensors.numpy import load, save

from compiler import compile_model, load_model
from compiler.programs import per_graph
from npu.chip.isa import COMMAND_BYTES
from npu.chip.params import load_params
from npu.errors import ImageError, InputError, MachineError, NpuError
from npu.runtime.calls import open_session
from npu.runtime.image import METADATA_KEY, Image
from npu.runtime.sessions import GraphSession
from npu.twin import machine
from tests.conftest import ROOT
from tests.random_transducers import random_transducer

VECTORS = ROOT / "tests" / "vectors" / "tflite"
PLAIN = compile_model(load_model(VECTORS / "joint.tflite"), load_params("tiny"))
STREAMED = compile_model(load_model(VECTORS / "lstm_stream.tflite"), load_params("tiny"))
GATHER = compile_model(load_model(VECTORS / "predictor.tflite"), load_params("tiny"))
SPEECH = compile_model(load_model("commands_rnnt"), load_params("edge"))
SEARCHED = random_transducer(np.random.default_rng(3))
HOSTED = compile_model(SEARCHED, load_params("tiny"), program=per_graph(SEARCHED))
IMAGES = {
    "plain": PLAIN,
    "streamed": STREAMED,
    "gather": GATHER,
    "speech": SPEECH,
    "hosted": HOSTED,
}


def edited(image, change=lambda header: None, memory=None, program=None, seal=True):
    """The bytes of an image with header, memory or program changed; `seal` mends the CRCs."""
    header = image.header.model_dump(mode="json")
    memory = np.array(image.memory if memory is None else memory)
    program = image.program if program is None else program
    if seal:
        header["program_crc32"] = zlib.crc32(program)
        for section in header["sections"]:
            data = memory[section["address"] : section["address"] + section["n_bytes"]]
            section["crc32"] = zlib.crc32(data.tobytes())
    change(header)
    tensors = {"memory": memory, "program": np.frombuffer(program, np.uint8)}
    return save(tensors, metadata={METADATA_KEY: json.dumps(header)})


def refusal(raw):
    with pytest.raises(ImageError) as caught:
        Image.from_bytes(raw)
    message = str(caught.value)
    assert "\n" not in message
    return message


# --- round trip ---------------------------------------------------------------------------------
@pytest.mark.parametrize("name", IMAGES)
def test_round_trip(name, tmp_path):
    image = IMAGES[name]
    raw = image.to_bytes()
    again = Image.from_bytes(raw)
    assert again.header == image.header
    assert again.program == image.program
    assert again.n_commands == len(image.program) // COMMAND_BYTES
    np.testing.assert_array_equal(again.memory, image.memory)
    assert again.to_bytes() == raw
    path = tmp_path / "a.npu"
    path.write_bytes(raw)
    assert Image.load(path).header == image.header


def test_the_file_is_named(tmp_path):
    path = tmp_path / "a.npu"
    with pytest.raises(ImageError, match=r"a\.npu: cannot be read: No such file"):
        Image.load(path)
    path.write_bytes(b"hello")
    with pytest.raises(ImageError, match=r"a\.npu: not a compiled image, or cut short"):
        Image.load(path)
    with pytest.raises(ImageError, match="cannot be read"):
        Image.load(tmp_path)


# --- every check --------------------------------------------------------------------------------
def header_edit(*path, to):
    def change(header):
        at = header
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = to(at[path[-1]]) if callable(to) else to

    return change


FRAMES = ("entries", 2)
OUTPUTS = [tensor.model_dump(mode="json") for tensor in PLAIN.header.invoke.outputs]
LOOP = {"inputs": OUTPUTS, "outputs": [], "loop": {"calls": 1, "tokens_address": 0}}

MISSING = "each must be there once, and 'boot' and 'reset'"

CHECKS = [
    (("format",), 2, "an image of format 2, this version reads 7; compile the model again"),
    (("format",), 5, "an image of format 5, this version reads 7; compile the model again"),
    (("format",), 8, "damaged header: format: Input should be 7"),
    (("kind",), "graph", "damaged header: kind: Extra inputs are not permitted"),
    (("surprise",), 1, "damaged header: surprise: Extra inputs are not permitted"),
    (("memory_bytes",), 1, r"memory_bytes is 1, must be \d+ to 16777216"),
    (("memory_bytes",), 2**31, r"memory_bytes is 2147483648, must be \d+ to 16777216"),
    (("memory_bytes",), 10**30, "damaged header: memory_bytes"),
    (("memory_bytes",), 1.5, "damaged header: memory_bytes"),
    (("chip", "lanes"), 0, r"damaged header: the image's chip: lanes = 0: .*greater than or equal"),
    (("chip", "wings"), 2, "the image's chip: key 'wings' is unknown"),
    (
        ("program_crc32",),
        1,
        "section 'program' .* is damaged: its CRC-32 is .*, must be 0x00000001",
    ),
    (("sections", 0, "crc32"), 1, "section 'parameter memory' .* is damaged: .* 0x00000001"),
    (("sections", 1, "address"), 8, "section .* is at 0x8, must be at 0x"),
    (("sections", 0, "n_bytes"), 2**31, "runs past the end of the memory image"),
    (("sections", 0, "n_bytes"), -1, "damaged header: sections.0.n_bytes"),
    (("sections",), lambda old: old[:-1], "bytes of the memory image have no section"),
    (("command_layer",), lambda old: old[1:], r"\d+ command layers, \d+ commands"),
    (("command_layers",), [], "a command belongs to a layer that is not listed"),
    (("command_layers", 0), "boot", "damaged header: command_layers.0"),
    (("command_layers", 0, "layout"), -1, "damaged header: command_layers.0.layout"),
    (("command_layers", 0, "surprise"), 1, "command_layers.0.surprise: Unexpected keyword"),
    (("layers", 0, "layer", "operator"), 7, "damaged header: layers.0.layer.operator"),
    (("layers", 0, "layer", "rows"), [], "layers.0.layer: .*a matrix must have 1 to"),
    (("layers", 0, "layer", "rows"), [1, 0], "damaged header: layers.0.layer.rows.1"),
    (("layers", 0, "layer", "rows"), [2**26, 1], "layers.0.layer: .*, not 67108865"),
    (("layers", 0, "resident_tiles"), 2, "layers.0: .*2 of 1 tiles stay"),
    (("layers", 0, "resident_tiles"), 0, "layers.0: .*0 tiles stay, in [1-9][0-9]* bytes"),
    (("layers", 0, "streamed_bytes"), 8, "layers.0: .*0 tiles are streamed, in 8 bytes"),
    (("layers", 0, "tiles"), 2, "layers.0: .*1 tiles are streamed, in 0 bytes"),
    (("layers", 0, "resident"), True, "layers.0.resident: Extra inputs are not permitted"),
    (("entries", 0, "pc"), 10**6, "entry 'boot' is 1000000, the program has"),
    (("entries", 0, "pc"), -1, "damaged header: entries.0.pc"),
    (("entries", 1, "name"), "boot", r"entries are \['boot', 'boot', 'invoke'\], each must be"),
    (("entries", 1, "name"), "other", MISSING),
    (("entries", 0, "name"), "other", MISSING),
    (("entries", 1), lambda old: old | {"inputs": OUTPUTS}, "'reset' exchanges tensors"),
    (("entries", 2, "loop"), {"calls": 1, "tokens_address": 0}, "loops over one input, without"),
    (("entries", 2), lambda old: old | LOOP, "kind 'graph' with the loop of a transducer"),
    (("transducer",), {}, "damaged header: transducer"),
    (("entries", 2, "inputs", 0, "shape"), [1, 4096], "tensor .*: its bytes do not hold its shape"),
    (("entries", 2, "inputs", 0, "shape"), [2**26] * 7 + [1], "its bytes do not hold its shape"),
    (("entries", 2, "inputs", 0, "shape"), [1] * 100, "damaged header: entries.2.inputs.0.shape"),
    (("entries", 2, "inputs", 0, "n_bytes"), 1, "its bytes do not hold its shape"),
    (("entries", 2, "inputs", 0, "stored"), "int8", "only reals with a scale are stored"),
    (("entries", 2, "inputs", 0, "address"), 0, "tensor .* lies outside the exchange area"),
    (("entries", 2, "outputs", 0, "address"), 2**31, "tensor .* lies outside the exchange area"),
    (("entries", 2, "outputs", 0, "dtype"), "float64", "damaged header: entries.2.outputs.0.dtype"),
    (
        ("entries", 2, "outputs", 0, "scale"),
        float("inf"),
        "header: entries.2.outputs.0.scale",
    ),
    (("entries", 2, "outputs", 0, "scale"), 1e308, "damaged header: entries.2.outputs.0.scale"),
    (("layers", 0, "entropy_bits"), 1e308, "damaged header: layers.0.entropy_bits"),
    (("probes",), [{"name": "p", "pc": 0, "sram": 8190, "n": 3}], "probe 'p' lies outside SRAM"),
]


# Names by position: those of functions hold addresses, which differ between test processes.
@pytest.mark.parametrize(("path", "to", "message"), CHECKS, ids=range(len(CHECKS)))
def test_every_header_check(path, to, message):
    assert re.search(message, refusal(edited(PLAIN, header_edit(*path, to=to))))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (header_edit(*FRAMES, "inputs", 0, "shape", to=[2, 1, 120]), "must be int8 of shape .1, "),
        (header_edit(*FRAMES, "inputs", 0, "dtype", to="int32"), "shape|int8"),
        (header_edit(*FRAMES, "inputs", to=[]), "'frames' loops over one input"),
        (header_edit(*FRAMES, "inputs", to=lambda old: old * 2), "'frames' loops over one input"),
        (header_edit(*FRAMES, "outputs", to=OUTPUTS), "'frames' loops over one input, without out"),
        (header_edit(*FRAMES, "loop", "calls", to=2**26), "outside the exchange area"),
        (header_edit(*FRAMES, "loop", "calls", to=0), "damaged header: entries.2.loop.calls"),
        (header_edit(*FRAMES, "loop", "tokens_address", to=0), "'tokens' lies outside the exchan"),
        (header_edit("transducer", "hears", to="boot"), "features go to 'boot', which is no entry"),
        (header_edit("transducer", "hears", to="x"), "features go to 'x', which is no entry"),
        (header_edit("transducer", "blank", to=28), "blank is symbol 28 of 28"),
        (header_edit("transducer", "start", to=28), "start is symbol 28 of 28"),
        (header_edit("transducer", "tokens", to=[]), "blank is symbol 0 of 0"),
        (header_edit("transducer", to=None), "kind 'graph' with the loop of a transducer"),
    ],
)
def test_every_transducer_check(change, message):
    assert re.search(message, refusal(edited(SPEECH, change)))


def test_containers_that_are_none():
    raw = PLAIN.to_bytes()
    tensors = load(raw)
    header = json.dumps(PLAIN.header.model_dump(mode="json"))
    metadata = {METADATA_KEY: header}
    for wrong, message in (
        (save(tensors), "not a compiled image"),
        (save(tensors, metadata={"other": header}), "KeyError: 'zeroskip'"),
        (save(tensors, metadata={METADATA_KEY: "[" * 100_000}), "damaged header"),
        (save({"memory": tensors["memory"]}, metadata=metadata), "no byte vector 'program'"),
        (
            save(tensors | {"memory": tensors["memory"].view(np.uint16)}, metadata=metadata),
            "no byte vector 'memory'",
        ),
        (b"", "not a compiled image"),
        (b"\xff" * 100, "not a compiled image"),
        ((2**62).to_bytes(8, "little") + raw[8:], "not a compiled image"),
    ):
        assert message in refusal(wrong)


def test_a_program_that_does_not_decode():
    program = bytearray(PLAIN.program)
    program[3 * COMMAND_BYTES] = 0xEE
    assert "command 3: illegal opcode 0xee" in refusal(edited(PLAIN, program=bytes(program)))
    program = PLAIN.program[:-1]
    assert "is not a whole number of commands" in refusal(edited(PLAIN, program=program))


# --- hostile: whatever the bytes, a refusal or a run --------------------------------------------
def use(raw, step=False):
    """Load and run; returns what kind of end it was. Anything but these errors fails the test."""
    try:
        image = Image.from_bytes(raw)
        if image.header.kind == "transducer":
            session = open_session(image, step=step)
            shape = image.header.features.shape
            if np.prod(shape) > 10**6:
                return "run"
            session.accept(np.full((2, *shape[1:]), 3, np.int8))
        else:
            session = GraphSession(image, step=step)
            inputs = [np.ones(t.shape, t.dtype) for t in image.header.invoke.inputs]
            for _ in range(2):
                session.invoke(inputs)
    except (ImageError, MachineError, InputError) as error:
        assert isinstance(error, NpuError)
        assert "\n" not in str(error)
        return type(error).__name__
    return "run"


@pytest.fixture(autouse=True)
def _short_programs(monkeypatch):
    monkeypatch.setattr(machine, "MAX_COMMANDS", 3000)


@pytest.mark.parametrize("name", IMAGES)
def test_every_flipped_byte_of_the_file_is_refused(name):
    """The CRCs catch everything but what the header's text leaves open."""
    raw = IMAGES[name].to_bytes()
    header_end = 8 + int.from_bytes(raw[:8], "little")
    rng = np.random.default_rng(1)
    places = set(range(0, len(raw), max(1, len(raw) // 150)))
    places |= set(rng.integers(0, header_end, 150).tolist())
    refused = 0
    for place in sorted(places):
        damaged = bytearray(raw)
        damaged[place] ^= 1 << int(rng.integers(8))
        outcome = use(bytes(damaged))
        refused += outcome == "ImageError"
        if place >= header_end:
            assert outcome == "ImageError", place
    assert refused > 150


@pytest.mark.parametrize("name", IMAGES)
def test_truncations_are_refused(name):
    raw = IMAGES[name].to_bytes()
    for length in (*range(0, 200, 7), *range(200, len(raw), len(raw) // 40), len(raw) - 1):
        assert use(raw[:length]) == "ImageError"
    assert use(raw + b"\0") == "ImageError"


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("batch", range(2))
def test_damage_behind_mended_checksums(name, batch):
    """Corrupt tables, directories, streams and records reach the machine."""
    image = IMAGES[name]
    rng = np.random.default_rng(batch)
    ends = []
    for trial in range(40):
        memory = np.array(image.memory)
        section = image.header.sections[rng.integers(len(image.header.sections))]
        at = section.address + int(rng.integers(min(section.n_bytes, rng.choice([64, 10**6]))))
        kind = trial % 4
        if kind == 0:
            memory[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            memory[at : at + 16] = rng.integers(0, 256, len(memory[at : at + 16]))
        elif kind == 2:
            memory[at : at + 8] = 255
        else:
            other = int(rng.integers(len(memory) - 64))
            n = len(memory[at : at + 64])
            memory[at : at + n] = memory[other : other + n].copy()
        ends.append(use(edited(image, memory=memory), step=bool(trial % 3 == 0)))
    assert "MachineError" in ends
    assert "ImageError" not in ends


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("batch", range(2))
def test_damaged_programs(name, batch):
    """Single bits and whole fields of commands, all the way to addresses and branches."""
    image = IMAGES[name]
    rng = np.random.default_rng(100 + batch)
    ends = []
    for trial in range(60):
        program = bytearray(image.program)
        pc = int(rng.integers(image.n_commands))
        at = pc * COMMAND_BYTES
        if trial % 3 == 0:
            bit = int(rng.integers(8 * COMMAND_BYTES))
            program[at + bit // 8] ^= 1 << bit % 8
        elif trial % 3 == 1:
            place = at + int(rng.integers(COMMAND_BYTES))
            program[place] = int(rng.choice([0, 0xFF, 0x80, 0x7F]))
        else:
            other = int(rng.integers(image.n_commands)) * COMMAND_BYTES
            one = program[at : at + COMMAND_BYTES]
            program[at : at + COMMAND_BYTES] = program[other : other + COMMAND_BYTES]
            program[other : other + COMMAND_BYTES] = one
        ends.append(use(edited(image, program=bytes(program)), step=bool(trial % 2)))
    assert {"MachineError", "ImageError", "run"} <= set(ends)


NUMBERS = [0, 1, -1, 7, 255, 65535, 65536, 2**26, 2**31 - 1, 2**31, 2**32, 2**63, 10**30]
OTHERS = [None, True, "x", [], {}, 0.5, 1e308, [1], ["x"]]


def leaves(value, path=()):
    """Paths of all values in a JSON document, a few of each list."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from leaves(value[key], (*path, key))
    elif isinstance(value, list):
        for index in sorted({0, len(value) // 2, len(value) - 1} if value else set()):
            yield from leaves(value[index], (*path, index))


@pytest.mark.parametrize("name", IMAGES)
def test_every_header_value_replaced(name):
    image = IMAGES[name]
    rng = np.random.default_rng(3)
    paths = list(leaves(image.header.model_dump(mode="json")))[1:]
    ends = []
    for path in paths:
        for value in (NUMBERS[rng.integers(len(NUMBERS))], OTHERS[rng.integers(len(OTHERS))]):
            ends.append(use(edited(image, header_edit(*path, to=lambda old, v=value: v))))
    assert len(ends) > 100
    assert ends.count("ImageError") > len(ends) // 2


@pytest.mark.parametrize("key", sorted(k for k in load_params("tiny").model_dump() if k != "name"))
def test_every_chip_number_replaced(key):
    """A program on another chip than it was compiled for: refused, wrong or right, never worse."""
    for value in (1, 2, 8, 64, 256, 1000, 65536, 2**20, 2**31, 10**30, 0.25):
        use(edited(STREAMED, header_edit("chip", key, to=value)))


def test_swapped_sections():
    def swap(header):
        sections = header["sections"]
        sections[0], sections[1] = sections[1], sections[0]

    assert use(edited(PLAIN, swap)) == "ImageError"

    def reorder(header):
        sections, at = header["sections"][::-1], 0
        for section in sections:
            section["address"] = at
            at += section["n_bytes"]
        header["sections"] = sections

    spans = [(s.address, s.address + s.n_bytes) for s in PLAIN.header.sections]
    memory = np.concatenate([PLAIN.memory[a:b] for a, b in reversed(spans)])
    # Checksums hold, the program finds other sections at its addresses.
    assert use(edited(PLAIN, reorder, memory=memory, seal=False)) == "MachineError"


def test_a_huge_empty_memory_is_not_touched():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    chip = load_params("tiny").model_dump() | {"memory_bytes": 2**31}

    def grow(header):
        header["memory_bytes"] = 2**31
        header["chip"] = chip

    assert use(edited(PLAIN, grow)) == "run"
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 200 * 1024


@pytest.mark.parametrize("value", ["1e999", "-Infinity", "NaN", "9" * 5000])
def test_no_number_in_an_image_makes_a_report_impossible(value):
    """What the configuration holds is shown by `npu inspect --json`."""
    text = json.dumps(SPEECH.header.model_dump(mode="json"))
    hostile = text.replace('"preemphasis": ', f'"preemphasis": {value}, "x": ', 1)
    assert hostile != text
    tensors = load(SPEECH.to_bytes())
    message = refusal(save(tensors, metadata={METADATA_KEY: hostile}))
    assert "damaged header" in message and len(message) < 300
