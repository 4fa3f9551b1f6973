"""Latency: causes sum to cycles, parts to the whole, and they say what limits a layer."""

from functools import partial

import numpy as np
import pytest
import soundfile

from compiler import compile_model, load_model, reference
from compiler.programs import branching
from npu.analysis.causes import CAUSES
from npu.analysis.energy import Costs, energy_uj, listening
from npu.analysis.frames import (
    assumed_frames,
    decided_by,
    recorded_frames,
    searches_on_chip,
    symbol_frame,
)
from npu.analysis.latency import Frames, ideals_of, latency_of
from npu.analysis.profile import Profile, measure
from npu.analysis.streaming import BeamOnTwin, OnTwin
from npu.analysis.utterance import SoundFrames, utterance_latency
from npu.chip.params import load_params
from npu.errors import InputError
from npu.events.machine import events_of
from npu.runtime.calls import call, calls_of, open_session
from npu.runtime.frontend import speech_of
from npu.runtime.host_beam import BeamSession, most_slots
from npu.runtime.host_interface import FROM, SYMBOL, TO
from npu.runtime.sessions import Session
from npu.speech.beam import BeamRules
from npu.speech.ends import Ending
from npu.speech.search import SearchRules
from npu.speech.transcribe import transcribe

EDGE = load_params("edge")


def frames_of(model, image):
    return Frames(image, events_of(image), ideals_of(model.graphs, image.params))


def of_layer(path, **changes):
    model = load_model(path)
    image = compile_model(model, EDGE.model_copy(update=changes))
    return latency_of(image, ideals_of(model.graphs, image.params))


@pytest.fixture(scope="module")
def transducer():
    model = load_model("commands_rnnt")
    return model, compile_model(model, EDGE)


@pytest.fixture(scope="module")
def sound(zoo):
    return zoo / "commands_rnnt" / "utterances" / "test_sent_284.wav"


def same_as_parts(latency):
    """Layers and commands each make up the whole."""
    for parts in (latency.layers, latency.commands):
        for name in ("causes", "memory_bytes"):
            whole = getattr(latency.total, name)
            for key, value in whole.items():
                parted = sum(getattr(part.figures, name)[key] for part in parts)
                assert parted == pytest.approx(value), key
    assert latency.total.cycles * len(latency.frame_cycles) == pytest.approx(
        latency.frame_cycles.sum()
    )


def test_recorded_layers(vectors):
    for path in sorted(vectors.glob("*.tflite")):
        model = load_model(path)
        image = compile_model(model, EDGE)
        inputs = calls_of(image, limit=3)
        assert (image.header.kind, searches_on_chip(image)) == ("graph", False)
        reset, todo = recorded_frames(image, inputs)
        frames = frames_of(model, image)
        frames.reset(reset)
        for starts in todo:
            frames.run(starts)
        latency = frames.latency("told")
        session = open_session(image)
        for each in inputs:
            call(session, each)
        assert latency.frame_cycles.tolist() == session.cycles
        same_as_parts(latency)
        for part in (latency.total, *(layer.figures for layer in latency.layers)):
            assert set(part.causes) == set(CAUSES)
            assert min(part.causes.values()) >= 0, path.name
        assert 0 < latency.total.ideal_cycles < latency.total.cycles


def test_what_limits_a_layer(vectors):
    """The same layer, limited by what it is made to lack."""
    resident = of_layer(vectors / "fc_wide.tflite")
    assert resident.total.bound_by == "multiply"
    slow = {"memory_cycles_per_beat": 16, "bank_bytes": 4096}
    assert of_layer(vectors / "fc_wide.tflite", **slow).total.bound_by == "memory"
    assert of_layer(vectors / "fc_relu.tflite", vector_elements=1).total.causes["vector"] == 0
    assert not decided_by(compile_model(load_model(vectors / "fc_wide.tflite"), EDGE))
    lanes = of_layer(vectors / "fc_wide.tflite", lanes=8)
    assert lanes.total.causes["multiply"] == 2 * resident.total.causes["multiply"]
    assert lanes.total.macs == resident.total.macs


def test_of_a_transducer(transducer):
    model, image = transducer
    frames = frames_of(model, image)
    frames.reset()
    for starts in assumed_frames(image, 3, 1):
        frames.run(starts)
    one = frames.latency("told")
    same_as_parts(one)
    frames.reset()
    frames.run(symbol_frame(image, [[]]))
    none = frames.latency("told")
    assert none.total.cycles < one.total.cycles
    # The decoder runs behind a symbol only, the joiner once more.
    assert {layer.graph for layer in none.layers} == {"", "encoder", "joiner"}
    ideal = {layer.operator: layer.figures.ideal_cycles for layer in one.layers if layer.graph}
    once = {layer.operator: layer.figures.ideal_cycles for layer in none.layers if layer.graph}
    joiner = next(layer.operator for layer in none.layers if layer.graph == "joiner")
    assert ideal[joiner] == 2 * once[joiner]


def test_symbols_that_there_are_not(transducer):
    _, image = transducer
    info = image.header.transducer
    with pytest.raises(InputError, match="emits at most"):
        symbol_frame(image, [[1] * (info.max_symbols_per_frame + 1)])
    for symbol in (info.blank, len(info.tokens), -1):
        with pytest.raises(InputError, match=f"emits no symbol {symbol}"):
            symbol_frame(image, [[symbol]])


@pytest.mark.parametrize("ending", [None, Ending(0.5)])
def test_an_utterance_is_that_of_the_twin(transducer, sound, ending):
    model, image = transducer
    found = utterance_latency(
        frames_of(model, image),
        SoundFrames.hear(image, speech_of(image), reference.search_of(model), sound, ending),
        "told",
    )
    twin = OnTwin(image)
    heard = transcribe(speech_of(image), twin, sound, ending)
    use = twin.use()
    assert found.latency.frame_cycles.tolist() == use.cycles.tolist()
    assert [phrase.text for phrase in found.phrases] == [phrase.text for phrase in heard.phrases]
    assert found.busy_ms == pytest.approx(EDGE.milliseconds(int(use.cycles.sum())))
    assert 0 < found.real_time_factor < 0.01 and found.busy_share <= found.real_time_factor
    (phrase,) = found.phrases
    assert 0 < phrase.last_symbol_ms < found.audio_ms + 400
    assert phrase.perceived_ms == phrase.last_symbol_ms - phrase.end_ms


@pytest.mark.parametrize("symbols", [0, 1, 6])
def test_a_frame_of_a_beam_without_a_sound(transducer, symbols):
    """Start by start, with other slots and symbols: what they are takes no cycle."""
    model, _ = transducer
    image = compile_model(model, EDGE, program=branching(model, 8))
    found = latency_of(image, frames=2, symbols=symbols)
    session = Session(image)
    features = np.zeros(image.header.features.shape, np.int8)
    slot = image.header.entry("decoder").outputs[0].shape[1]
    registers = {FROM: slot, TO: 2 * slot, SYMBOL: 5}
    cycles = session.start("encoder", [features])[1]
    for each in range(symbols):
        cycles += session.start("joiner", registers={FROM: each % 3 * slot})[1]
        cycles += session.start("decoder", registers=registers)[1]
    if symbols < model.config.max_symbols_per_frame:
        cycles += session.start("joiner", registers={FROM: slot})[1]
    assert found.frame_cycles.tolist() == [cycles, cycles]
    decoder = session.start("decoder", registers=registers)[1]
    assert found.reset_cycles == session.reset_cycles + decoder
    assert measure(image).segments["encoder"].cycles > 0
    with pytest.raises(InputError, match="at most 6 symbols in a call, not 7"):
        latency_of(image, symbols=7)


@pytest.mark.parametrize("min_score", [None, -1e-4])
def test_phrases_of_a_beam_are_those_of_the_twin(transducer, sound, tmp_path, min_score):
    model, _ = transducer
    samples, rate = soundfile.read(sound)
    sound = tmp_path / "twice.wav"
    soundfile.write(sound, np.concatenate([samples, np.zeros(2 * rate), samples]), rate)
    beam = BeamRules(3)
    program = branching(model, most_slots(beam, SearchRules.of(model.config)))
    image, session = compile_model(model, EDGE, program=program), partial(BeamSession, beam=beam)
    speech = speech_of(image)
    heard = SoundFrames.hear_beam(image, speech, session, sound, min_score=min_score)
    found = utterance_latency(frames_of(model, image), heard, "told")
    twin = BeamOnTwin(image, session=session)
    phrases = transcribe(speech, twin, sound, min_score=min_score).phrases
    assert found.latency.frame_cycles.tolist() == twin.use().cycles.tolist()
    assert [phrase.text for phrase in found.phrases] == [phrase.text for phrase in phrases]
    assert len(phrases) == (2 if min_score is None else 0)
    emitted = [symbol for symbols in heard.symbols for symbol in symbols]
    assert emitted == [token for phrase in phrases for token in phrase.tokens]
    calls = [at for at, symbols in enumerate(heard.symbols) for _ in symbols]
    times = [time for phrase in phrases for time in phrase.times]
    assert [heard.comes_ms[call] / 1e3 for call in calls] == pytest.approx(times)


@pytest.mark.parametrize("beam", [None, BeamRules(3)], ids=["greedy", "beam"])
def test_symbols_that_are_too_faint_are_no_phrase(transducer, sound, tmp_path, beam):
    """Between two phrases the same one from afar: the second one's last symbol is its own."""
    model, image = transducer
    samples, rate = soundfile.read(sound)
    parts = [samples, np.zeros(rate), 0.15 * samples, np.zeros(rate), samples]
    sound = tmp_path / "faint.wav"
    soundfile.write(sound, np.concatenate(parts), rate)
    if beam is None:
        heard = SoundFrames.hear(image, speech_of(image), reference.search_of(model), sound)
    else:
        program = branching(model, most_slots(beam, SearchRules.of(model.config)))
        image = compile_model(model, EDGE, program=program)
        session = partial(BeamSession, beam=beam)
        heard = SoundFrames.hear_beam(image, speech_of(image), session, sound)
    found = utterance_latency(frames_of(model, image), heard, "told")
    assert len(found.phrases) == 2 and len(heard.begins) == 2
    faint = range(*heard.begins)
    assert any(heard.symbols[call] for call in faint)
    for phrase, spoken in zip(found.phrases, heard.heard.phrases, strict=True):
        assert phrase.last_symbol_ms == pytest.approx(1e3 * spoken.times[-1], abs=1)


def test_a_chip_that_is_too_slow_is_late(transducer, sound):
    """It hears the last symbol when it comes to it, not when the sound does."""
    model, image = transducer
    slow = EDGE.model_copy(update={"clock_mhz": 0.25})
    late = compile_model(model, slow)
    fast, slowed = (
        utterance_latency(
            frames_of(model, each),
            SoundFrames.hear(each, speech_of(each), reference.search_of(model), sound),
            "told",
        )
        for each in (image, late)
    )
    assert fast.latency.frame_cycles.tolist() == slowed.latency.frame_cycles.tolist()
    assert slowed.real_time_factor > 1 and slowed.busy_share > 0.9
    assert slowed.phrases[0].perceived_ms > 1000 > fast.phrases[0].perceived_ms
    assert slowed.span_ms == pytest.approx(slowed.busy_ms, rel=0.1)


def test_energy_is_that_of_the_twin(transducer, sound):
    model, image = transducer
    found = utterance_latency(
        frames_of(model, image),
        SoundFrames.hear(image, speech_of(image), reference.search_of(model), sound),
        "told",
    )
    twin = OnTwin(image)
    transcribe(speech_of(image), twin, sound)
    activity = twin.use().activity
    frames = len(found.latency.frame_cycles)
    powered = listening(found.audio_ms / 1e3, found.busy_ms / 1e3, frames)
    wanted = energy_uj(Costs.of(EDGE), activity, powered)
    for cause, microjoules in found.latency.total.energy_uj.items():
        assert microjoules * frames == pytest.approx(wanted[cause]), cause


def test_layers_are_as_the_profile_says(vectors):
    image = compile_model(load_model(vectors / "joint.tflite"), EDGE)
    profile = Profile(image)
    session = open_session(image, observer=profile)
    profile.clear()
    call(session, calls_of(image, limit=1)[0])
    latency = of_layer(vectors / "joint.tflite")
    wanted = {key: cycles for key, cycles in profile.operators().items() if cycles}
    found = {(layer.graph, layer.operator): layer.figures.cycles for layer in latency.layers}
    assert found == pytest.approx(wanted)
    assert np.ptp(latency.frame_cycles) == 0
