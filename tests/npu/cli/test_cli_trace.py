"""`npu trace`: its file, its options, and what it refuses."""

import gzip
import json
import re
import zlib

import pytest

pytest.importorskip("perfetto", reason="the extra `trace` is not installed")

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace

from compiler import compile_model, load_model
from npu.chip.isa import COMMAND_BYTES, command, encode
from npu.chip.params import load_params
from npu.cli import _extras
from npu.runtime.image import Image


def test_of_calls(npu, vectors, tmp_path):
    path = tmp_path / "t.pftrace"
    ran = npu("trace", vectors / "fc_wide.tflite", "--calls", 2, "-o", path)
    assert ran.status == 0 and "4 starts" in ran.out and "open it in ui.perfetto.dev" in ran.out
    packets = Trace.FromString(path.read_bytes()).packet
    assert len(packets) > 20
    packed = tmp_path / "t.pftrace.gz"
    assert npu("trace", vectors / "fc_wide.tflite", "--calls", 2, "-o", packed).status == 0
    assert gzip.decompress(packed.read_bytes()) == path.read_bytes()


def test_of_a_sound_stands_where_it_comes(npu, utterances, tmp_path):
    path = tmp_path / "t.pftrace"
    sound = utterances / "test_fl_093.wav"
    assert npu("trace", "commands_rnnt", "--audio", sound, "-o", path).status == 0
    packets = Trace.FromString(path.read_bytes()).packet
    seconds = max(packet.timestamp for packet in packets) / 1e9
    assert 1 < seconds < 10


def test_waveforms(npu, vectors, tmp_path):
    path, packed = tmp_path / "t.vcd", tmp_path / "t.vcd.gz"
    ran = npu("trace", vectors / "fc_wide.tflite", "--calls", 1, "-o", path)
    assert ran.status == 0 and "85 signals" in ran.out
    assert path.read_text().startswith("$timescale 1 ps $end")
    assert npu("trace", vectors / "fc_wide.tflite", "--calls", 1, "-o", packed).status == 0
    assert gzip.decompress(packed.read_bytes()) == path.read_bytes()


def test_waveforms_of_a_sound(npu, utterances, tmp_path):
    """The starts of the other trace, and one: who hears resets a session that has just begun."""
    sound, cycles = utterances / "test_fl_093.wav", []
    for path in (tmp_path / "t.VCD", tmp_path / "t.pftrace"):
        ran = npu("trace", "commands_rnnt", "--audio", sound, "-o", path)
        assert ran.status == 0 and path.stat().st_size > 10_000
        cycles.append(int(re.search(r"([0-9,]+) cycles", ran.out)[1].replace(",", "")))
    reset = json.loads(npu("latency", "commands_rnnt", "--json", "-").out)["reset_cycles"]
    assert cycles[0] == cycles[1] + reset


@pytest.mark.parametrize("entry", ["boot", "reset", "invoke"])
def test_an_endless_image_ends_as_in_npu_latency(npu, vectors, tmp_path, entry):
    image = compile_model(load_model(vectors / "joint.tflite"), load_params("tiny"))
    here = image.header.entry(entry).pc
    raw = bytearray(image.program)
    raw[here * COMMAND_BYTES : (here + 1) * COMMAND_BYTES] = encode(command("BEQ", target=here))
    header = image.header.model_copy(update={"program_crc32": zlib.crc32(raw)})
    path = tmp_path / "endless.npu"
    path.write_bytes(Image(header, bytes(raw), image.memory).to_bytes())
    latency, trace = npu("latency", path), npu("trace", path, "-o", tmp_path / "t.pftrace")
    assert re.search(r"^error: no HALT within [0-9,]+ cycles or [0-9,]+ commands", latency.err)
    assert (trace.status, trace.err) == (latency.status, latency.err)
    assert not (tmp_path / "t.pftrace").exists()


def test_what_is_refused(refused, vectors, utterances, tmp_path):
    path, model = tmp_path / "t.pftrace", vectors / "fc_wide.tflite"
    sound = utterances / "test_fl_093.wav"
    refused("trace", model, "--audio", sound, "--calls", 2, "-o", path, match="its own calls")
    refused("trace", model, "--audio", sound, "-o", path, match="not a transducer")
    refused("trace", model, "-o", model, match="is the input")
    refused("trace", model, match="Missing option")
    refused("trace", model, "-o", tmp_path / "t.fst", match="written as VCD")
    refused("trace", "commands_rnnt", "--symbols", 2, "-o", "t.vcd", match="leave --symbols out")
    refused("trace", model, "--audio", sound, "-o", "t.vcd", match="not a transducer")
    assert not path.exists()


def test_without_its_extra(refused, vectors, tmp_path, monkeypatch):
    monkeypatch.setattr(_extras, "find_spec", lambda module: None)
    path = tmp_path / "t.pftrace"
    refused("trace", vectors / "fc_wide.tflite", "-o", path, match=r"zeroskip\[trace\]")
