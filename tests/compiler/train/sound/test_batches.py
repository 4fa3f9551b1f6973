"""Batches: the same in every process, with symbols where they may be emitted."""

import pickle
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from compiler.train.corpus.clip import Clip
from compiler.train.corpus.store import write_shard
from compiler.train.sound.batches import Listener, padded, windows
from compiler.train.sound.features import MEL, end_of_calls
from compiler.train.symbols import text_of
from tests.compiler.train.corpus.recipes import tiny

FIELDS = ("steps", "lengths", "symbols", "counts", "first", "last")
CLIPS = 11


def clip(n) -> Clip:
    rng = np.random.default_rng(n)
    samples = rng.integers(-9000, 9000, 14_000 + 1700 * n, np.int16)
    return Clip(samples, f"go {chr(97 + n)}", "flite", "kal", ((0.1, 0.3), (0.35, 0.7)))


@pytest.fixture(autouse=True)
def one_thread():
    """As in each process that makes batches (`alone`): sums of more threads end otherwise."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def listener(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    write_shard(folder, "train", 0, [clip(n) for n in range(CLIPS)])
    recipe = tiny()
    learning = recipe.learning.model_copy(update={"batch": 4})
    recipe = recipe.model_copy(update={"learning": learning})
    return Listener(folder, "train", recipe, (-9.0,) * MEL.bins, (2.0,) * MEL.bins)


def same(one, two) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(two, name)) for name in FIELDS)


def test_a_step_decides_its_batch_in_whatever_process(listener, tmp_path):
    # Step 3000 is beyond the ramp: everything is disturbed.
    batch = listener.batch(3000)
    assert same(batch, listener.batch(3000))
    assert not same(batch, listener.batch(3001))
    (tmp_path / "listener").write_bytes(pickle.dumps(listener))
    code = (
        "import pickle, sys\n"
        "from compiler.train.sound.batches import alone\n"
        "alone()\n"
        "listener = pickle.load(open(sys.argv[1] + '/listener', 'rb'))\n"
        "listener.batch(7)\n"
        "pickle.dump(listener.batch(3000), open(sys.argv[1] + '/batch', 'wb'))\n"
    )
    command = [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)]
    subprocess.run(command, check=True, timeout=60)
    assert same(batch, pickle.loads((tmp_path / "batch").read_bytes()))


def test_each_epoch_hears_each_clip_once(listener):
    # Of 16 steps together the clips are sorted by length: 11 times 64 of them are 64 epochs.
    sound = listener.recipe.sound.model_copy(update={"nothing": 0.0})
    recipe = listener.recipe.model_copy(update={"sound": sound})
    never = Listener(listener.folder, "train", recipe, listener.mean, listener.std)
    batches = [never.batch(step) for step in range(11 * 16)]
    said = [
        text_of(symbols[:count])
        for batch in batches
        for symbols, count in zip(batch.symbols, batch.counts, strict=True)
    ]
    assert Counter(said) == {f"go {chr(97 + n)}": 64 for n in range(CLIPS)}
    early, late = (
        {tuple(batch.symbols[:, 3]) for batch in some} for some in (batches[:16], batches[16:32])
    )
    assert early != late


def test_a_batch_has_clips_of_one_length(listener):
    batches = [listener.batch(step) for step in range(32)]
    used = sum(batch.lengths.sum() for batch in batches)
    there = sum(batch.steps.shape[0] * batch.steps.shape[1] for batch in batches)
    assert used > 0.97 * there
    # Their order is no order of lengths.
    longest = [batch.lengths.max() for batch in batches[:16]]
    assert longest not in (sorted(longest), sorted(longest, reverse=True))


def test_some_clips_are_left_as_they_are(listener):
    changes = {"untouched": 1.0, "level_dbfs": (-20.0, -20.0)}
    sound = listener.recipe.sound.model_copy(update=changes)
    recipe = listener.recipe.model_copy(update={"sound": sound})
    whole = Listener(listener.folder, "train", recipe, listener.mean, listener.std)

    def sums(some, first):
        return {
            text_of(symbols): float(steps.sum())
            for step in range(first, first + 16)
            for batch in [some.batch(step)]
            for symbols, steps in zip(batch.symbols, batch.steps, strict=True)
        }

    plain = sums(whole, 0)
    assert len(plain) == CLIPS
    assert sums(whole, 3200) == pytest.approx(plain, rel=1e-3)
    assert sums(listener, 3200) != pytest.approx(plain, rel=0.1)


def test_in_some_clips_nothing_is_said(listener):
    sound = listener.recipe.sound.model_copy(update={"nothing": 1.0, "untouched": 0.0})
    recipe = listener.recipe.model_copy(update={"sound": sound})
    silent = Listener(listener.folder, "train", recipe, listener.mean, listener.std)
    assert silent.batch(0).counts.all()  # before the ramp
    batch = silent.batch(5000)
    assert not batch.counts.any() and batch.steps.any()
    assert not same(batch, listener.batch(5000))


def test_a_batch_may_be_larger_than_the_part(listener):
    learning = listener.recipe.learning.model_copy(update={"batch": 40})
    recipe = listener.recipe.model_copy(update={"learning": learning})
    large = Listener(listener.folder, "train", recipe, listener.mean, listener.std)
    assert len(large.batch(0).lengths) == 40


@pytest.mark.parametrize("step", [0, 3000])
def test_a_batch_holds_together(listener, step):
    batch = listener.batch(step)
    for n, (length, count) in enumerate(zip(batch.lengths, batch.counts, strict=True)):
        assert length % 2 == 0
        assert not batch.steps[n, length:].any()
        assert not batch.symbols[n, count:].any()
        assert batch.symbols[n, :count].all()
        first, last = batch.first[n, :count], batch.last[n, :count]
        assert (first >= 0).all()
        assert (first <= last).all()
        assert (last < length // 2).all()
        assert (np.diff(first) >= 0).all()
    assert np.abs(batch.steps).max() <= 4


def test_times_follow_a_slower_voice(listener):
    sound = listener.recipe.sound.model_dump()
    for rate, stretch in ((1.25, 1.0), (0.8, 1.0), (1.0, 1.25), (1.0, 0.8)):
        table = sound | {"nothing": 0.0, "untouched": 0.0}
        table["rate"] = {"chance": 1.0, "range": (rate, rate)}
        table["stretch"] = {"chance": 1.0, "range": (stretch, stretch)}
        changed = type(listener.recipe.sound).model_validate(table)
        recipe = listener.recipe.model_copy(update={"sound": changed})
        made = Listener(listener.folder, "train", recipe, listener.mean, listener.std).batch(3000)
        for n, count in enumerate(made.counts):
            last = made.last[n, count - 1]
            # The last letter ends at 0.7 s, and may be emitted half a second later.
            end = 0.7 * stretch / rate + 0.5
            calls = made.lengths[n] // 2
            wanted = np.sum(end_of_calls(calls) <= end) - 1
            assert abs(last - wanted) <= 1


def test_plain_is_the_clip_itself(listener):
    seen, symbols, ends = listener.plain(2)
    assert text_of(symbols) == "go c"
    assert ends == pytest.approx([0.2, 0.3, 0.35, 0.7])
    assert len(seen) == (1 + (14_000 + 3400 - 400) // 160) // 6 * 2


def test_windows_as_a_loop_says():
    rng = np.random.default_rng(6)
    for _ in range(300):
        calls = int(rng.integers(1, 30))
        ends = np.sort(rng.uniform(0, 2.2, 6))
        begins = np.full(6, rng.uniform(0, ends[0]))
        about = (float(rng.uniform(-0.5, 0.1)), float(rng.uniform(0.1, 0.6)))
        first, last = windows(ends, begins, calls, about)
        for n, end in enumerate(ends):
            heard = [(960 * call + 5 * 160 + 400) / 16_000 for call in range(calls)]
            late = [c for c in range(calls) if heard[c] >= max(end + about[0], begins[n])]
            early = [c for c in range(calls) if heard[c] <= end + about[1]]
            begin = late[0] if late else calls - 1
            assert first[n] == begin
            assert last[n] == max(begin, early[-1] if early else 0)


def test_padded_fills_with_zeros():
    ones = [
        (np.ones((length, 3), np.float32), list(range(1, count + 1)), [0] * count, [1] * count)
        for length, count in ((4, 1), (2, 3))
    ]
    batch = padded(ones)
    assert batch.steps.sum(axis=(1, 2)).tolist() == [12, 6]
    assert batch.symbols.tolist() == [[1, 0, 0], [1, 2, 3]]
    assert batch.last.tolist() == [[1, 0, 0], [1, 1, 1]]
