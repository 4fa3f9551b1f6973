"""Alignments: cheapest by trying all of them, and counted as jiwer and NIST's sclite count."""

import random
import re
import subprocess
from functools import cache

import jiwer
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.analysis.trn import trn
from npu.speech.spoken_sets import Utterance
from npu.speech.word_errors import LEVENSHTEIN, SCLITE, Aligned, align, confusions

WORDS = st.lists(st.sampled_from("abcd"), max_size=7)
SCORES = re.compile(r"id: \(\w+-(\d+)\)\nScores: \(#C #S #D #I\) (\d+) (\d+) (\d+) (\d+)\n")


def counts(aligned: Aligned) -> tuple[int, int, int, int]:
    return aligned.hits, aligned.substitutions, aligned.deletions, aligned.insertions


def naive(said, heard, costs) -> int:
    """The cost of the cheapest alignment, by trying all."""

    @cache
    def rest(i, j):
        found = []
        if i < len(said):
            found.append(costs.gap + rest(i + 1, j))
        if j < len(heard):
            found.append(costs.gap + rest(i, j + 1))
        if i < len(said) and j < len(heard):
            found.append(costs.substitution * (said[i] != heard[j]) + rest(i + 1, j + 1))
        return min(found, default=0)

    return rest(0, 0)


@given(WORDS, WORDS, st.sampled_from([LEVENSHTEIN, SCLITE]))
def test_an_alignment_is_both_texts_at_the_least_cost(said, heard, costs):
    aligned = align(said, heard, costs)
    assert [pair[0] for pair in aligned.pairs if pair[0] is not None] == said
    assert [pair[1] for pair in aligned.pairs if pair[1] is not None] == heard
    assert (None, None) not in aligned.pairs
    gaps = aligned.deletions + aligned.insertions
    cost = costs.substitution * aligned.substitutions + costs.gap * gaps
    assert cost == naive(said, heard, costs)
    assert aligned.words == len(said)
    assert aligned.errors == aligned.substitutions + gaps == len(aligned.pairs) - aligned.hits


@given(st.lists(st.tuples(WORDS.filter(bool), WORDS), min_size=1, max_size=4))
def test_jiwer_counts_as_many_errors(pairs):
    ours = [align(said, heard) for said, heard in pairs]
    theirs = jiwer.process_words([" ".join(s) for s, _ in pairs], [" ".join(h) for _, h in pairs])
    errors = theirs.substitutions + theirs.deletions + theirs.insertions
    assert sum(each.errors for each in ours) == errors
    assert sum(each.errors for each in ours) / sum(each.words for each in ours) == theirs.wer
    # Of as many errors, jiwer takes any; no alignment has fewer substitutions than ours.
    assert sum(each.substitutions for each in ours) <= theirs.substitutions


def test_of_equal_alignments_the_one_with_the_most_hits_is_taken():
    assert counts(align("ba", "ab")) == (1, 0, 1, 1)
    assert counts(align("abc", "xbz")) == (1, 2, 0, 0)
    assert counts(align([], "ab")) == (0, 0, 0, 2)
    assert align([], []).pairs == ()


def test_the_case_in_which_sclite_counts_more():
    assert counts(align("abcde", "defgh")) == (0, 5, 0, 0)
    assert counts(align("abcde", "defgh", SCLITE)) == (2, 0, 3, 3)


def test_confusions_are_counted():
    found = confusions([align(["a", "b"], ["a", "c"]), align(["b"], ["c"]), align("d", "")])
    assert found == [(("b", "c"), 2), (("d", None), 1)]


def scored(sclite, folder, pairs) -> list[tuple[int, int, int, int]]:
    """What sclite counts, by pair."""
    ids = [Utterance(n, "", folder, (), f"s{n % 3}", "", None) for n in range(len(pairs))]
    (folder / "ref.trn").write_bytes(trn(ids, [said for said, _ in pairs]))
    (folder / "hyp.trn").write_bytes(trn(ids, [heard for _, heard in pairs]))
    files = ["-r", folder / "ref.trn", "trn", "-h", folder / "hyp.trn", "trn", "-i", "spu_id"]
    done = subprocess.run(
        [*sclite, *files, "-o", "pralign", "stdout"],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    found = {int(n): tuple(map(int, of)) for n, *of in SCORES.findall(done.stdout)}
    assert len(found) == len(pairs), done.stdout[-2000:]
    return [found[n] for n in range(len(pairs))]


def noisy(rng, said, vocabulary, share) -> list[str]:
    """A text misheard: words replaced, left out and added."""
    heard = []
    for word in said:
        kind = rng.choice(["sub", "del", "ins"]) if rng.random() < share else "hit"
        heard += [rng.choice(vocabulary)] if kind in ("sub", "ins") else []
        heard += [word] if kind in ("hit", "ins") else []
    return heard


@pytest.mark.parametrize(("share", "vocabulary"), [(0.15, 40), (0.5, 40), (0.7, 3)])
def test_sclite_counts_the_same(sclite, tmp_path, share, vocabulary):
    """Always what `SCLITE` costs least; and as we do wherever both count as many errors."""
    rng = random.Random(7)
    words = [f"w{n}" for n in range(vocabulary)]
    pairs = []
    for _ in range(1500):
        said = [rng.choice(words) for _ in range(rng.randint(1, 9))]
        pairs.append((said, noisy(rng, said, words, share)))
    differ = 0
    for (said, heard), theirs in zip(pairs, scored(sclite, tmp_path, pairs), strict=True):
        ours, as_sclite = align(said, heard), align(said, heard, SCLITE)
        cost = SCLITE.substitution * theirs[1] + SCLITE.gap * (theirs[2] + theirs[3])
        gaps = as_sclite.deletions + as_sclite.insertions
        assert cost == SCLITE.substitution * as_sclite.substitutions + SCLITE.gap * gaps
        if ours.errors == sum(theirs[1:]):
            assert counts(ours) == theirs
        else:
            assert ours.errors < sum(theirs[1:])
            differ += 1
    # The more is wrong and the fewer words there are, the more often.
    assert differ <= {0.15: 0, 0.5: 0, 0.7: 5}[share]


def test_sclite_takes_texts_with_characters_of_its_own(sclite, tmp_path):
    pairs = [
        (
            ["and/or", "{a", "/", "b}", "(x)", ";;", "@", "5%", "don't"],
            ["and/or", "{a", "/", "b}", "(x)", ";;", "@", "5%", "dont"],
        ),
        ([";;"], []),
        (["é", "北京"], ["è", "北京"]),
    ]
    assert scored(sclite, tmp_path, pairs) == [counts(align(*pair)) for pair in pairs]
