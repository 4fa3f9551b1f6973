"""Disturbances do what was drawn, and nothing at strength 0."""

import numpy as np
import pytest

from compiler.train.recipe import Sound
from compiler.train.sound.disturb import disturbed, level, masked, pink
from compiler.train.sound.features import MEL, STACK
from tests.compiler.train.corpus.recipes import tiny

SPEECH = (
    6000 * np.sin(np.arange(16_000) / 5) * (np.arange(16_000) // 4000 % 2 == 0)
).astype(np.int16)  # fmt: skip
QUIET = {"masks": {"bands": 0, "bins": 0, "stretches": 0, "frames": 0}}


def others():
    return pink(9000, np.random.default_rng(9))


def sound(**tables) -> Sound:
    """Nothing but the level, -20 dB, and what is given."""
    table = tiny().sound.model_dump()
    for value in table.values():
        if isinstance(value, dict) and "chance" in value:
            value["chance"] = 0.0
    table |= {"telephone": 0.0, "low_pass": 0.0, "clipping": 0.0, "mu_law": 0.0, **QUIET}
    table["level_dbfs"] = (-20.0, -20.0)
    for name, value in tables.items():
        table[name] = {**table[name], **value} if isinstance(value, dict) else value
    return Sound.model_validate(table)


def heard(sound, strength=1.0, seed=1):
    return disturbed(SPEECH, sound, strength, np.random.default_rng(seed), others)


def decibels(amplitude) -> float:
    return 20 * np.log10(amplitude)


@pytest.mark.parametrize("wanted", [-40.0, -20.0, -12.0])
def test_level(wanted):
    samples, *_ = heard(sound(level_dbfs=(wanted, wanted)))
    assert decibels(level(samples)) == pytest.approx(wanted, abs=0.1)
    # Of what sounds alone: half of the clip is silent.
    assert decibels(np.sqrt(np.square(samples).mean())) == pytest.approx(wanted - 3, abs=0.1)


def test_at_strength_0_only_the_level_changes():
    samples, bend, factor = heard(tiny().sound, strength=0.0)
    assert (bend.tract, bend.stretch, bend.gain, factor) == (1.0, 1.0, None, 1.0)
    assert np.array_equal(samples * 32768, np.rint(samples * 32768))
    gain = np.abs(samples).max() * 32768 / 6000
    assert np.abs(samples * 32768 - SPEECH * gain).max() <= 1.1
    steps = np.ones((20, STACK * MEL.bins), np.float32)
    masks = tiny().sound.masks
    assert masked(steps, masks, 0.0, np.random.default_rng(1)).all()


@pytest.mark.parametrize("kind", ["babble", "music", "impulses", "coloured"])
@pytest.mark.parametrize("snr", [3.0, 25.0])
def test_noise_is_as_loud_as_drawn(kind, snr):
    kinds = {name: float(name == kind) for name in ("babble", "music", "impulses")}
    noise = {"chance": 1.0, "snr_db": (snr, snr), **kinds}
    # Quiet, so that no knock is clipped.
    clean, *_ = heard(sound(level_dbfs=(-35.0, -35.0)))
    for seed in range(3):
        noisy, *_ = heard(sound(level_dbfs=(-35.0, -35.0), noise=noise), seed=seed)
        made = decibels(level(clean)) - decibels(np.sqrt(np.square(noisy - clean).mean()))
        assert made == pytest.approx(snr, abs=1)


def test_weaker_noise_is_nearer_to_none():
    noise = {"chance": 1.0, "snr_db": (0.0, 40.0), "babble": 0, "music": 0, "impulses": 0}
    clean, *_ = heard(sound())
    for strength, lowest in ((1.0, 0.0), (0.5, 20.0)):
        made = []
        for seed in range(60):
            noisy, *_ = heard(sound(noise=noise), strength, seed)
            if (noisy != clean).any():
                rest = np.sqrt(np.square(noisy - clean).mean())
                made.append(decibels(level(clean)) - decibels(rest))
        assert lowest - 1 <= min(made) < lowest + 8
        assert 32 < max(made) <= 41


@pytest.mark.parametrize("rate", [0.8, 1.25])
def test_rate_changes_length_and_pitch(rate):
    samples, _, factor = heard(sound(rate={"chance": 1.0, "range": (rate, rate)}))
    assert factor == pytest.approx(1 / rate)
    assert len(samples) == pytest.approx(16_000 * factor, abs=2)
    usual, made = (
        np.abs(np.fft.rfft(heard, 1 << 17)).argmax() for heard in (SPEECH, samples)
    )  # fmt: skip
    assert made / usual == pytest.approx(rate, rel=0.01)


def test_clipping_cuts_the_peaks_and_mu_law_is_coarse():
    plain = heard(sound())[0]
    clipped = heard(sound(clipping=1.0))[0]
    peak = np.abs(plain).max()
    assert 0.29 * peak < np.abs(clipped).max() < 0.91 * peak
    assert len(np.unique(heard(sound(mu_law=1.0))[0])) <= 255
    assert len(np.unique(plain)) > 300


def test_reverberation_rings_in_silence_and_stays_as_long():
    room = {"chance": 1.0, "t60_s": (0.3, 0.3)}
    rung = heard(sound(reverberation=room))[0]
    assert len(rung) == len(SPEECH)
    assert np.abs(rung[4400:5000]).max() > 1e-4 > np.abs(heard(sound())[0][4400:5000]).max()
    assert np.isfinite(heard(sound(reverberation={**room, "t60_s": (0.0, 0.0)}))[0]).all()


def test_telephone_keeps_300_to_3400_hertz():
    gain = heard(sound(telephone=1.0))[1].gain
    hertz = np.arange(len(gain)) * 31.25
    assert np.array_equal(gain > 0.5, (hertz >= 300) & (hertz <= 3400))


def test_masks_are_bands_and_stretches_of_at_most_that():
    masks = tiny().sound.masks.model_copy(update={"bands": 1, "stretches": 1})
    seen = set()
    for seed in range(100):
        steps = np.ones((30, STACK * MEL.bins), np.float32)
        gone = masked(steps, masks, 1.0, np.random.default_rng(seed)) == 0
        rows, columns = gone.all(axis=1), gone.all(axis=0)
        assert np.array_equal(gone, rows[:, None] | columns[None, :])
        bins = columns.reshape(STACK, MEL.bins)
        assert (bins == bins[0]).all()
        for line, most in ((rows, masks.frames), (bins[0], masks.bins)):
            assert line.sum() <= most
            assert (np.diff(line.astype(int)) == 1).sum() + line[0] <= 1
        seen.add((int(rows.sum()), int(bins[0].sum())))
    assert {rows for rows, _ in seen} == set(range(masks.frames + 1))
    assert {bins for _, bins in seen} == set(range(masks.bins + 1))


def test_masks_wider_than_the_bins():
    masks = tiny().sound.masks.model_copy(update={"bins": 1000, "frames": 1000})
    masked(np.ones((4, STACK * MEL.bins), np.float32), masks, 1.0, np.random.default_rng(1))


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0])
def test_pink_falls_as_it_says(exponent):
    made = pink(1 << 16, np.random.default_rng(4), exponent)
    assert np.square(made).mean() == pytest.approx(1, rel=1e-3)
    power = np.square(np.abs(np.fft.rfft(made)))
    low, high = power[1000:2000].mean(), power[8000:16_000].mean()
    assert np.log2(low / high) == pytest.approx(3 * exponent, abs=0.3)
