"""Disturbances of samples and features, drawn anew each time that a clip is heard."""

from collections.abc import Callable

import numpy as np
import soxr
from numpy.typing import NDArray
from scipy import fft, signal

from compiler.train.recipe import Change, Equaliser, Masks, Noise, Reverberation, Sound
from compiler.train.sound.features import FFT, FULL_SCALE, RATE_HZ, SPECTRUM, STACK, Bend, in_floats

Floats = NDArray[np.float32]
Rng = np.random.Generator
Others = Callable[[], Floats]
"""Draws the speech of another clip."""

_ACTIVE = 0.05
"""Of the loudest sample: what is louder is speech, for its level."""
_ACTIVE_HOP = 160
_MU = 255.0


def disturbed(
    samples: NDArray[np.int16], sound: Sound, strength: float, rng: Rng, others: Others
) -> tuple[Floats, Bend, float]:
    """A clip as it is heard this time.

    Parameters
    ----------
    samples : (n,) int16.
    sound : what may be done.
    strength : 0 .. 1, of everything: chances and how far it goes.
    rng : draws it.
    others : what babble is made of.

    Returns
    -------
    samples : (m,) float32, on the grid of 16 bits.
    bend : how the features are to be bent.
    factor : of all times in the samples; the bend's stretch is not in it.
    """
    heard = in_floats(samples)
    rate = _drawn(sound.rate, strength, rng)
    if rate != 1:
        heard = soxr.resample(heard, RATE_HZ, RATE_HZ / rate, quality="MQ")
    if rng.random() < strength * sound.reverberation.chance:
        heard = _reverberated(heard, sound.reverberation, rng)
    heard = _levelled(heard, sound, rng)
    if rng.random() < strength * sound.noise.chance:
        heard = heard + _noise(heard, sound.noise, strength, rng, others)
    if rng.random() < strength * sound.clipping:
        limit = np.float32(rng.uniform(0.3, 0.9)) * np.abs(heard).max(initial=1e-4)
        heard = np.clip(heard, -limit, limit)
    if rng.random() < strength * sound.mu_law:
        heard = _mu_law(heard)
    heard = in_floats(as_16_bits(heard))
    bend = Bend(
        _drawn(sound.vocal_tract, strength, rng),
        _drawn(sound.stretch, strength, rng),
        _gain(sound, strength, rng),
    )
    return heard, bend, 1 / rate


def nothing(count: int, noise: Noise, rng: Rng, others: Others) -> NDArray[np.int16]:
    """(count,) samples in which nothing is said: one of the noises, or babble of many."""
    made = _noise_of(rng.random(), noise, count, rng, others, fewest=3)
    return as_16_bits(made * np.float32(0.1 / max(float(np.sqrt(np.square(made).mean())), 1e-9)))


def noisy(
    samples: NDArray[np.int16],
    level_dbfs: float,
    snr_db: float,
    rng: Rng,
    others: Others,
) -> NDArray[np.int16]:
    """Speech at a level, with one of the four kinds of noise: each with the same chance, and as far
    below it as `snr_db` says. For tests: nothing else is done to it.
    """
    heard = at_level(in_floats(samples), level_dbfs)
    return as_16_bits(heard + _noise(heard, _quarters(snr_db), 1.0, rng, others))


def burst(count: int, level_dbfs: float, rng: Rng, others: Others) -> Floats:
    """(count,) samples of one of the four kinds of noise, each with the same chance, at a level."""
    made = _noise_of(rng.random(), _quarters(0.0), count, rng, others)
    return at_level(made, level_dbfs)


def _quarters(snr_db: float) -> Noise:
    """All four kinds with the same chance."""
    return Noise(chance=1.0, snr_db=(snr_db, snr_db), babble=0.25, music=0.25, impulses=0.25)


def as_16_bits(samples: Floats) -> NDArray[np.int16]:
    """Samples of full scale 1, clipped."""
    return np.rint(np.clip(samples, -1, 32767 / FULL_SCALE) * FULL_SCALE).astype(np.int16)


def masked(steps: Floats, masks: Masks, strength: float, rng: Rng) -> Floats:
    """SpecAugment (Park and others 2019): bands and stretches of mean 0; `steps` is changed."""
    bins = steps.shape[1] // STACK
    for _ in range(masks.bands):
        width = min(int(rng.integers(0, round(strength * masks.bins) + 1)), bins)
        first = int(rng.integers(0, bins - width + 1))
        steps.reshape(len(steps), STACK, bins)[:, :, first : first + width] = 0
    for _ in range(masks.stretches):
        width = min(int(rng.integers(0, round(strength * masks.frames) + 1)), len(steps))
        first = int(rng.integers(0, len(steps) - width + 1))
        steps[first : first + width] = 0
    return steps


def level(samples: Floats) -> float:
    """The root mean square of what is speech: of stretches of 10 ms that are not quiet."""
    count = len(samples) // _ACTIVE_HOP
    if not count:
        return 1e-4
    power = np.square(samples[: count * _ACTIVE_HOP]).reshape(count, _ACTIVE_HOP).mean(axis=1)
    loud = power > (_ACTIVE * np.sqrt(power.max())) ** 2
    return float(np.sqrt(power[loud].mean())) if loud.any() else 1e-4


def pink(count: int, rng: Rng, exponent: float = 1.0) -> Floats:
    """Noise of mean square 1 whose power falls with frequency to the power of `exponent`."""
    size = fft.next_fast_len(count, real=True)
    frequencies = np.maximum(np.arange(size // 2 + 1), 1).astype(np.float32)
    spectrum = rng.standard_normal((2, len(frequencies)), np.float32)
    shaped = (spectrum[0] + 1j * spectrum[1]) * frequencies ** np.float32(-exponent / 2)
    shaped[0] = 0
    samples = fft.irfft(shaped, size)[:count].astype(np.float32)
    return samples / max(float(np.sqrt(np.square(samples).mean())), 1e-9)


def _drawn(change: Change, strength: float, rng: Rng) -> float:
    if rng.random() >= strength * change.chance:
        return 1.0
    low, high = change.range
    return float(rng.uniform(1 + (low - 1) * strength, 1 + (high - 1) * strength))


def _levelled(heard: Floats, sound: Sound, rng: Rng) -> Floats:
    low, high = sound.level_dbfs
    return at_level(heard, rng.uniform(low, high))


def at_level(heard: Floats, dbfs: float) -> Floats:
    """Speech at a level."""
    return heard * np.float32(10 ** (dbfs / 20) / max(level(heard), 1e-5))


def _reverberated(heard: Floats, room: Reverberation, rng: Rng) -> Floats:
    """A direct sound and a tail of noise that falls by 60 dB in T60 (Polack's model)."""
    t60 = rng.uniform(*room.t60_s)
    count = max(1, int(t60 * RATE_HZ))
    tail = rng.standard_normal(count).astype(np.float32)
    tail *= np.exp(-6.9 / max(t60, 1e-3) * np.arange(count) / RATE_HZ).astype(np.float32)
    tail *= np.float32(rng.uniform(0.2, 1.0) / max(np.sqrt(np.square(tail).sum()), 1e-9))
    tail[0] = 1
    return signal.fftconvolve(heard, tail)[: len(heard)].astype(np.float32)


def _noise(heard: Floats, noise: Noise, strength: float, rng: Rng, others: Others) -> Floats:
    low, high = noise.snr_db
    snr = rng.uniform(high + (low - high) * strength, high)
    made = _noise_of(rng.random(), noise, len(heard), rng, others)
    power = float(np.sqrt(np.square(made).mean()))
    return made * np.float32(level(heard) * 10 ** (-snr / 20) / max(power, 1e-9))


def _noise_of(
    place: float, noise: Noise, count: int, rng: Rng, others: Others, fewest: int = 1
) -> Floats:
    if place < noise.babble:
        return _babble(count, rng, others, fewest)
    place -= noise.babble
    if place < noise.music:
        return _music(count, rng)
    place -= noise.music
    if place < noise.impulses:
        return _impulses(count, rng)
    return pink(count, rng, rng.uniform(0.0, 2.0))


def _babble(count: int, rng: Rng, others: Others, fewest: int) -> Floats:
    """Of some voices; a single one is speech in the background."""
    total = np.zeros(count, np.float32)
    for _ in range(int(rng.integers(fewest, 7))):
        voice = others()
        voice = np.resize(np.roll(voice, int(rng.integers(0, len(voice)))), count)
        total += voice / np.float32(max(level(voice), 1e-5))
    return total


def _music(count: int, rng: Rng) -> Floats:
    """Chords of a few notes with overtones, a new one every quarter to whole second."""
    total = np.zeros(count, np.float32)
    begin = 0
    while begin < count:
        length = min(int(rng.uniform(0.25, 1.0) * RATE_HZ), count - begin)
        time = np.arange(length, dtype=np.float32) / RATE_HZ
        fade = np.exp(-time * np.float32(rng.uniform(0.5, 6)))
        for _ in range(int(rng.integers(1, 5))):
            hertz = 110 * 2 ** (int(rng.integers(0, 37)) / 12)
            for overtone in range(1, int(rng.integers(2, 8))):
                if hertz * overtone < RATE_HZ / 2:
                    phase = rng.uniform(0, 2 * np.pi)
                    wave = np.sin(np.float32(2 * np.pi * hertz * overtone) * time + phase)
                    total[begin : begin + length] += fade * wave / overtone
        begin += length
    return total


def _impulses(count: int, rng: Rng) -> Floats:
    """Clicks and knocks: short noises that ring out."""
    total = pink(count, rng) * np.float32(0.01)
    for _ in range(int(rng.integers(1, 9))):
        length = int(rng.uniform(0.003, 0.08) * RATE_HZ)
        knock = rng.standard_normal(length) * np.exp(-6 * np.arange(length) / length)
        begin = int(rng.integers(0, max(1, count - length)))
        total[begin : begin + length] += knock[: count - begin].astype(np.float32)
    return total


def _mu_law(heard: Floats) -> Floats:
    """Through eight bits of mu-law (ITU-T G.711's curve) and back."""
    small = np.clip(heard, -1, 1)
    code = np.rint(np.sign(small) * np.log1p(_MU * np.abs(small)) / np.log1p(_MU) * 127) / 127
    return np.sign(code) * np.expm1(np.abs(code) * np.float32(np.log1p(_MU))) / np.float32(_MU)


def _gain(sound: Sound, strength: float, rng: Rng) -> Floats | None:
    """Of the power of each bin of the spectrum."""
    hertz = np.arange(SPECTRUM) * (RATE_HZ / FFT)
    decibels = np.zeros(SPECTRUM)
    if rng.random() < strength * sound.equaliser.chance:
        decibels += _curve(sound.equaliser, strength, hertz, rng)
    if rng.random() < strength * sound.telephone:
        decibels -= np.where((hertz < 300) | (hertz > 3400), 40.0, 0.0)
    if rng.random() < strength * sound.low_pass:
        edge = rng.uniform(3000, 7000)
        decibels -= np.clip((hertz - edge) / 500, 0, 1) * 40
    return (10 ** (decibels / 10)).astype(np.float32) if decibels.any() else None


def _curve(equaliser: Equaliser, strength: float, hertz: np.ndarray, rng: Rng) -> np.ndarray:
    octaves = np.log2(np.maximum(hertz, 60) / 1000)
    tilt = rng.uniform(-1, 1) * equaliser.tilt_db * strength / 3
    curve = tilt * octaves
    for _ in range(equaliser.bumps):
        height = rng.uniform(-1, 1) * equaliser.bump_db * strength
        curve += height * np.exp(-(((octaves - rng.uniform(-3.5, 3)) / rng.uniform(0.3, 1)) ** 2))
    return curve
