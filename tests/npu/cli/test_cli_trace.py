"""`npu trace`: its file, its options, and what it refuses."""

import gzip
import sys

import pytest

pytest.importorskip("perfetto", reason="the extra `trace` is not installed")

from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace


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


def test_what_is_refused(refused, vectors, utterances, tmp_path):
    path, model = tmp_path / "t.pftrace", vectors / "fc_wide.tflite"
    sound = utterances / "test_fl_093.wav"
    refused("trace", model, "--audio", sound, "--calls", 2, "-o", path, match="its own calls")
    refused("trace", model, "--audio", sound, "-o", path, match="not a transducer")
    refused("trace", model, "-o", model, match="is the input")
    refused("trace", model, match="Missing option")
    assert not path.exists()


def test_without_its_extra(refused, vectors, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "npu.analysis.perfetto", None)
    path = tmp_path / "t.pftrace"
    refused("trace", vectors / "fc_wide.tflite", "-o", path, match=r"zeroskip\[trace\]")
