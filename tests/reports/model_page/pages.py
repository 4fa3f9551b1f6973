"""Contents of pages for the tests."""

import copy
import dataclasses
from functools import cache, partial

from compiler import compile_model, load_model, reference
from compiler.programs import branching
from npu.analysis.utterance import SoundFrames
from npu.chip.params import load_params
from npu.runtime.frontend import speech_of
from npu.runtime.host_beam import BeamSession, most_slots
from npu.speech.beam import BeamRules
from npu.speech.ends import COMMANDS
from npu.speech.listen import events_of
from npu.speech.search import SearchRules
from npu.speech.stream import Stream

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>]]>--> $x^2$ & \"'{{7*7}}"


@cache
def sound_content(zoo):
    """Of the trained model that hears a bundled utterance."""
    from reports.model_page.content import content_of_sound

    model = load_model("commands_rnnt")
    image = compile_model(model, load_params("edge"))
    path = str(zoo / "commands_rnnt" / "utterances" / "test_fl_093.wav")
    speech, engine = speech_of(image), reference.search_of(model)
    sound = SoundFrames.hear(image, speech, engine, path)
    events = list(events_of(Stream(speech, engine, COMMANDS.rule(speech.seconds_per_call)), path))
    return content_of_sound(model, image, sound, path, "the kernels heard the sound", events)


@cache
def beam_content(zoo):
    """The same, of another utterance, with a beam and its lattices."""
    from reports.model_page.content import content_of_sound

    model, beam = load_model("commands_rnnt"), BeamRules()
    program = branching(model, most_slots(beam, SearchRules.of(model.config)))
    image = compile_model(model, load_params("edge"), program=program)
    path = str(zoo / "commands_rnnt" / "utterances" / "test_hoes_134.wav")
    speech, engine = speech_of(image), reference.beam_of(model, beam, lattice=4)
    sound = SoundFrames.hear_beam(image, speech, partial(BeamSession, beam=beam), path)
    events = list(events_of(Stream(speech, engine, COMMANDS.rule(speech.seconds_per_call)), path))
    return content_of_sound(model, image, sound, path, "a beam", events, program)


def hostile_words(content):
    """The content of a beam whose lattices have such words."""
    events = []
    for each in content.sound.events:
        lattice = each.spoken.lattice
        if lattice is not None:
            arcs = tuple(arc._replace(word=HOSTILE) for arc in lattice.arcs)
            lattice = dataclasses.replace(lattice, arcs=arcs)
        spoken = dataclasses.replace(each.spoken, text=HOSTILE, lattice=lattice)
        events.append(dataclasses.replace(each, spoken=spoken))
    return dataclasses.replace(content, sound=dataclasses.replace(content.sound, events=events))


def with_names(content):
    """The same with names that attack whatever shows them."""
    latency = copy.deepcopy(content.latency)
    latency["model"] = HOSTILE
    latency["utterance"]["file"] = HOSTILE
    for part in (*latency["layers"], *latency["utterance"]["phrases"]):
        part["name" if "name" in part else "text"] = HOSTILE
    ranges = tuple(dataclasses.replace(each, name=HOSTILE) for each in content.sram.ranges)
    work = [(begin, end, HOSTILE) for begin, end, _ in content.moment.work]
    events = [
        dataclasses.replace(each, spoken=dataclasses.replace(each.spoken, text=HOSTILE))
        for each in content.sound.events
    ]
    symbols = [(at, HOSTILE) for at, _ in content.sound.symbols]
    return dataclasses.replace(
        content,
        latency=latency,
        matrices=[{**each, "name": HOSTILE} for each in content.matrices],
        moment=dataclasses.replace(content.moment, work=work),
        sram=dataclasses.replace(content.sram, ranges=ranges),
        sound=dataclasses.replace(content.sound, symbols=symbols, events=events),
    )
