"""Contents of pages for the tests."""

import copy
import dataclasses
from functools import cache

from compiler import compile_model, load_model, reference
from npu.analysis.utterance import SoundFrames
from npu.chip.params import load_params
from npu.runtime.frontend import speech_of
from npu.speech.ends import COMMANDS
from npu.speech.listen import events_of
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
