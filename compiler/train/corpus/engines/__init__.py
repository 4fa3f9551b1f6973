"""Speech synthesisers: a text, a voice and a pace in, samples and the times of the words out."""

from compiler.train.corpus.engines.espeak import Espeak
from compiler.train.corpus.engines.festival import Festival
from compiler.train.corpus.engines.flite import Flite
from compiler.train.corpus.engines.hibari import Hibari
from compiler.train.corpus.engines.piper import Piper
from compiler.train.corpus.engines.rhvoice import Rhvoice
from compiler.train.corpus.engines.speech import Engine, Request, Spoken

ENGINES: dict[str, type[Engine]] = {
    "espeak": Espeak,
    "flite": Flite,
    "festival": Festival,
    "rhvoice": Rhvoice,
    "piper": Piper,
    "hibari": Hibari,
}

__all__ = [
    "ENGINES",
    "Engine",
    "Espeak",
    "Festival",
    "Flite",
    "Hibari",
    "Piper",
    "Request",
    "Rhvoice",
    "Spoken",
]
