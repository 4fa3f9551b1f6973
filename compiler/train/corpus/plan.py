"""What a clip shall be: drawn from its number alone, so any process may make any clip."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from compiler.train.corpus.engines import Engine, Request
from compiler.train.corpus.grammar import Grammar
from compiler.train.corpus.names import names
from compiler.train.corpus.sides import SIDES, side
from compiler.train.recipe import Foreign, Recipe, Voices
from npu.errors import RecipeError

FOREIGN = "foreign"
"""The part, and the kind of clip, in which nothing is to be heard."""
PARTS = {
    "train": ("train", "train"),
    "develop": ("develop", "develop"),
    "test": ("test", "train"),
    "speakers": ("test", "test"),
}
"""Parts of every corpus: the side of their sentences, and that of their speakers."""
_LEFT_OUT = "left out"
"""In the place of a side: the voices of engines that are left out of training."""
_TRIES = 10_000


def parts(recipe: Recipe) -> dict[str, tuple[str, str]]:
    """PARTS, and where the recipe has them, foreign speech, and sentences of the test side that
    left-out engines speak (`engine`).
    """
    found = dict(PARTS)
    if recipe.foreign:
        found[FOREIGN] = ("test", "train")
    if any(entry.side for entry in recipe.voices):
        found["engine"] = ("test", _LEFT_OUT)
    return found


@dataclass(frozen=True)
class Plan:
    """A clip: one request for all of it, or one for each word.

    Attributes
    ----------
    text : what is to be heard.
    kind : the grammar's rule that it is of, or FOREIGN.
    engine, speaker : of the (first) voice.
    requests : with the engine of each.
    spliced : each request is a word.
    seed : of what is drawn when it is put together.
    """

    text: str
    kind: str
    engine: str
    speaker: str
    requests: tuple[tuple[str, Request], ...]
    spliced: bool
    seed: int


class Planner:
    """Draws plans.

    Parameters
    ----------
    recipe : what may be said, by whom.
    engines : those that the recipe has voices of, by name.

    Raises
    ------
    RecipeError
        A part of the corpus has no voice.
    """

    def __init__(self, recipe: Recipe, engines: Mapping[str, Engine]) -> None:
        self._recipe = recipe
        self.engines = engines
        fixed = Grammar(recipe.rules()).words()
        self.names = names(recipe.names, fixed) if recipe.names else []
        self._by_side: dict[str, list[str]] = {on: [] for on in SIDES}
        for name in self.names:
            self._by_side[self._side("name", name)].append(name)
        self._grammars = {on: Grammar(recipe.rules(some)) for on, some in self._by_side.items()}
        # Of each side: of each entry of the recipe its voices, by speaker.
        self._voices: dict[str, list[tuple[Voices, dict[str, list[str]]]]] = {}
        self._left_out = self._people(True) - self._people(False) - set(recipe.speakers)
        self._parts = parts(recipe)
        for entry in recipe.voices:
            by_speaker: dict[str, dict[str, list[str]]] = {}
            for voice in engines[entry.engine].voices():
                speaker = engines[entry.engine].speaker(voice)
                on = self.speaker_side(speaker)
                if entry.side:
                    if on != entry.side:
                        continue  # another engine trains with that person's voice
                    on = _LEFT_OUT
                by_speaker.setdefault(on, {}).setdefault(speaker, []).append(voice)
            for on, speakers in by_speaker.items():
                self._voices.setdefault(on, []).append((entry, speakers))
        for part, (_, on) in self._parts.items():
            if on not in self._voices:
                raise RecipeError(
                    f"no voice is on the side of {part!r}; name one under [speakers], or hold more "
                    "out (corpus.shares)"
                )

    def _people(self, left_out: bool) -> set[str]:
        """The speakers of the engines that are left out, or of the others."""
        return {
            self.engines[entry.engine].speaker(voice)
            for entry in self._recipe.voices
            if (entry.side is not None) is left_out
            for voice in self.engines[entry.engine].voices()
        }

    def speaker_side(self, speaker: str) -> str:
        """The side of a speaker: what the recipe says, else the test side if only left-out engines
        have him, else what his hash says.
        """
        if speaker in self._left_out:
            return "test"
        named = self._recipe.speakers.get(speaker)
        return named or self._side("speaker", speaker)

    def sentence_side(self, text: str) -> str:
        """The side of a sentence."""
        return self._side("sentence", text)

    def _side(self, kind: str, what: str) -> str:
        return side(kind, what, self._recipe.corpus.shares.model_dump())

    def plan(self, part: str, number: int) -> Plan:
        """The clip of a number in one of the recipe's parts."""
        draw = random.Random(f"{self._recipe.corpus.seed}:{part}:{number}")
        corpus = self._recipe.corpus
        sentences, speakers = self._parts[part]
        foreign = self._recipe.foreign
        if foreign and (part == FOREIGN or (part == "train" and draw.random() < foreign.share)):
            return self._foreign(foreign, sentences, draw)
        kind, text = self._sentence(sentences, draw)
        voice = self._voice(speakers, draw)
        # The time of a word that is spoken alone is what sounds of it; tests need no times.
        untimed = sentences != "test" and not self.engines[voice[0].engine].TELLS_WORDS
        spliced = draw.random() < corpus.spliced or untimed
        engine, own = self._request(text, voice, draw)
        requests = [(engine, own)]
        if spliced:
            requests = [(engine, replace(own, text=word)) for word in text.split()]
            for n, word in enumerate(text.split()):
                if draw.random() < corpus.other_voice:
                    requests[n] = self._request(word, self._voice(speakers, draw), draw)
        seed = draw.getrandbits(32)
        return Plan(text, kind, voice[0].engine, voice[1], tuple(requests), spliced, seed)

    def _foreign(self, foreign: Foreign, on: str, draw: random.Random) -> Plan:
        """A few words as another language reads them."""
        language = draw.choice(foreign.test if on == "test" else foreign.train)
        entry, speakers = next(e for e in self._voices["train"] if e[0].engine == "espeak")
        speaker = draw.choice(list(speakers))
        variant = draw.choice(speakers[speaker]).partition("+")[2]
        words = " ".join(draw.choice(self._by_side[on]) for _ in range(draw.randint(1, 8)))
        request = self._request(words, (entry, speaker, f"{language}+{variant}"), draw)
        seed = draw.getrandbits(32)
        return Plan("", FOREIGN, entry.engine, speaker, (request,), False, seed)

    def _sentence(self, on: str, draw: random.Random) -> tuple[str, str]:
        for _ in range(_TRIES):
            kind = draw.choice(self._recipe.corpus.start)
            text = self._grammars[on].draw(kind, draw)
            if text and self.sentence_side(text) == on:
                return kind, text
        raise RecipeError(
            f"{_TRIES} sentences of the grammar were none of the side {on!r}; give the grammar "
            "more sentences, or hold more out (corpus.shares)"
        )

    def _voice(self, on: str, draw: random.Random) -> tuple[Voices, str, str]:
        choices = self._voices[on]
        entry, speakers = draw.choices(choices, [entry.share for entry, _ in choices])[0]
        speaker = draw.choice(list(speakers))
        return entry, speaker, draw.choice(speakers[speaker])

    def _request(
        self, text: str, voice: tuple[Voices, str, str], draw: random.Random
    ) -> tuple[str, Request]:
        entry, _, name = voice
        pace, pitch = draw.uniform(*entry.pace), draw.uniform(*entry.pitch)
        return entry.engine, Request(text, name, round(pace, 3), round(pitch, 3))


def by_engine(plans: Sequence[Plan]) -> dict[str, list[tuple[int, int]]]:
    """Which requests (plan, request) each engine has to speak."""
    found: dict[str, list[tuple[int, int]]] = {}
    for n, plan in enumerate(plans):
        for k, (engine, _) in enumerate(plan.requests):
            found.setdefault(engine, []).append((n, k))
    return found
