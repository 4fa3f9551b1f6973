"""When a phrase ends, and when it is taken to be over before that.

It ends by silence (`Gate`), by many calls without a symbol where noise never lets it become quiet,
and by its length: the rules of Kaldi's online decoders, which sherpa-onnx has, too. Some calls
before silence would end it, it is taken to be over: whoever acts on what was said can begin, and is
told where more comes.

The durations are for commands, with pauses of up to 0.6 s between words; they were chosen on the
development side of `npu train commands` by `npu endpoints`.
"""

import math
from dataclasses import dataclass

from npu.model.config import MOST_SILENCE_S

END_SECONDS = 0.66
"""Silence that ends a phrase. The zoo's models emit the last letters up to 0.36 s late."""

HESITANT_SECONDS = 0.12
"""More silence ends one in which the speaker has paused: who pauses once pauses again."""

PAUSE_SECONDS = 0.12
"""So much silence amid a phrase is a pause; the stop of a consonant is shorter."""

LEAD_SECONDS = 0.18
"""Before silence ends it, a phrase is taken to be over."""

SETTLED_SECONDS = 0.12
"""For so long no symbol may have come by then."""

ENDED_SECONDS = 0.3
"""Behind the `</s>` of a model that has one: the phrase ends if no symbol comes meanwhile."""

BEFORE_SECONDS = 0.3
"""Of silence are run before a phrase: models learn from sounds that begin with as much."""

BLANK_SECONDS = 1.2
"""Twice the longest stretch without a symbol inside the zoo's utterances; sherpa-onnx's rule 2."""

UNHEARD_SECONDS = 2.4
"""The same before the first symbol; sherpa-onnx's rule 1."""

LONGEST_SECONDS = 20.0
"""A phrase is no longer; sherpa-onnx's rule 3."""

FLOOR_SECONDS = 5.0
"""The quietest call of so long is the noise of the place, known after a quarter of that time."""

PEAK_SECONDS = 10.0
"""The loudest call of so long is the speech. A slammed door is forgotten after that time."""

MOST_SECONDS = MOST_SILENCE_S
"""No duration that somebody gives is longer."""

TAIL_SECONDS = 0.36
"""The sound of a phrase ends no later behind its last symbol; symbols mostly come behind it."""

FAINT_DB = 11.0
"""What is so far below a phrase shortly before is said by nobody who speaks to us, or from four
times as far away. Of 1,160 phrases of one loudness none was more than 8.8 dB below another, and of
380 noises 20 dB below them two less than 12.9 (`npu.speech.levels`)."""

RECENT_SECONDS = 20.0
"""Shortly before. Whoever is silent for longer may have turned away."""


@dataclass(frozen=True)
class EndRule:
    """When a phrase ends, in encoder calls, each at least 1; see the module.

    Attributes
    ----------
    quiet_calls : quiet calls that end a phrase.
    hesitant_calls : those that end one in which the speaker has paused, or, where noise kept the
        phrase before from ending by silence, in that; at least `quiet_calls`.
    pause_calls : quiet calls amid a phrase that are such a pause.
    lead_calls : so long before silence ends it, a phrase is taken to be over; may be 0.
    settled_calls : calls without a symbol that it must have had by then; may be 0.
    ended_calls : calls without a symbol behind a model's `</s>` that end one; may be 0, and twice
        as many where it is loud. When that symbol comes, the phrase is taken to be over.
    before_calls : quiet calls that are run before a phrase.
    blank_calls : calls without a symbol that end one, behind its last symbol.
    unheard_calls : the same before its first symbol; at least `blank_calls`.
    longest_calls : of a phrase.
    floor_calls : calls whose quietest is the noise of the place.
    peak_calls : calls whose loudest is the speech.
    tail_calls : calls behind its last symbol that may still belong to a phrase.
    faint_db : one whose loudest call is as far below that of a phrase no more than `recent_calls`
        before it is none; infinite for never.
    """

    quiet_calls: int
    hesitant_calls: int
    pause_calls: int
    lead_calls: int
    settled_calls: int
    ended_calls: int
    before_calls: int
    blank_calls: int
    unheard_calls: int
    longest_calls: int
    floor_calls: int
    peak_calls: int
    tail_calls: int
    recent_calls: int
    faint_db: float


@dataclass(frozen=True)
class Ending:
    """When a phrase ends, in seconds.

    Attributes
    ----------
    silence : None as the model wants it, mostly END_SECONDS; where it may last longer than
        BLANK_SECONDS, as long a stretch without a symbol ends a phrase.
    hesitant, lead, longest, ended : as HESITANT_SECONDS, LEAD_SECONDS, LONGEST_SECONDS and
        ENDED_SECONDS. With a lead of 0, no phrase is taken to be over before silence ends it.
    faint : as FAINT_DB, and no duration; infinite to hear every phrase.

    Raises ValueError for a duration that is not finite, below 0, or, of `silence` and `longest`, 0,
    and for a `faint` that is not above 0.
    """

    silence: float | None = None
    hesitant: float = HESITANT_SECONDS
    lead: float = LEAD_SECONDS
    longest: float = LONGEST_SECONDS
    ended: float = ENDED_SECONDS
    faint: float = FAINT_DB

    def __post_init__(self) -> None:
        for name in ("silence", "longest"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 < seconds < math.inf:
                raise ValueError(f"{name} must be above 0 seconds, not {seconds}")
        for name in ("hesitant", "lead", "ended"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} must be 0 seconds or more, not {getattr(self, name)}")
        if not self.faint > 0:
            raise ValueError(f"faint must be above 0, not {self.faint}")

    def silence_of(self, wanted: float | None) -> float:
        """Of a model that wants so much silence, or None."""
        if self.silence is not None:
            return self.silence
        return END_SECONDS if wanted is None else wanted

    def rule(self, seconds_per_call: float, wanted: float | None = None) -> EndRule:
        """The same in calls so far apart; a duration is rounded to calls.

        wanted : the silence that the model wants, where nobody said another.
        """
        silence = self.silence_of(wanted)

        def calls(seconds: float) -> int:
            return max(1, round(seconds / seconds_per_call))

        # Where silence may last, as long a stretch without a symbol does not end a phrase earlier.
        blank_seconds = max(BLANK_SECONDS, silence + self.hesitant)
        return EndRule(
            quiet_calls=calls(silence),
            hesitant_calls=calls(silence + self.hesitant),
            pause_calls=calls(PAUSE_SECONDS),
            lead_calls=round(self.lead / seconds_per_call),
            settled_calls=round(SETTLED_SECONDS / seconds_per_call),
            ended_calls=round(self.ended / seconds_per_call),
            before_calls=calls(BEFORE_SECONDS),
            blank_calls=calls(blank_seconds),
            unheard_calls=calls(max(UNHEARD_SECONDS, blank_seconds)),
            longest_calls=calls(self.longest),
            floor_calls=calls(FLOOR_SECONDS),
            peak_calls=calls(PEAK_SECONDS),
            tail_calls=calls(TAIL_SECONDS),
            recent_calls=calls(RECENT_SECONDS),
            faint_db=self.faint,
        )


COMMANDS = Ending()
"""For short phrases, as above."""
