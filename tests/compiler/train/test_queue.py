"""Queues: what their runs are, and that whatever is wrong in one is told in a line."""

import pytest

from compiler.train.queue import is_queue, load_queue, shipped_queues
from compiler.train.recipe import load_recipe, shipped
from npu.errors import RecipeError

TEXT = """
recipe = "commands"
sets = ["test-30db"]

[[runs]]
name = "dense"
set = { "pruning.zeros" = 0.0, seed = 3 }

[[runs]]
name = "sparse"
start = "dense"
changes = ["short", "few"]
set = { "learning.ctc" = [0.5, 0.1], "network.predictor" = "stateless", "pruning.end" = 9_000 }

[changes]
short = { "learning.steps" = 500, "pruning.end" = 300 }
few = { "learning.batch" = 5, "learning.steps" = 400 }
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "queue.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_runs_are_the_recipe_with_their_changes(written):
    path = written(TEXT)
    assert is_queue(path)
    queue = load_queue(path)
    recipe = load_recipe(shipped()["commands"])
    assert queue.recipe == recipe and queue.sets == ("test-30db",)
    dense, sparse = queue.runs
    assert (dense.name, dense.start, sparse.start) == ("dense", None, "dense")
    assert (dense.recipe.pruning.zeros, dense.recipe.seed) == (0.0, 3)
    assert dense.recipe.pruning.end == recipe.pruning.end
    assert sparse.recipe.learning.ctc == (0.5, 0.1)
    assert sparse.recipe.network.predictor == "stateless"
    assert sparse.recipe.pruning == recipe.pruning.model_copy(update={"end": 9_000})
    assert (sparse.recipe.learning.steps, sparse.recipe.learning.batch) == (400, 5)


def test_a_run_may_start_from_a_model(written):
    (run,) = load_queue(written('recipe = "commands"\n[[runs]]\nname = "a"\nmodel = "m"\n')).runs
    assert (run.start, run.model) == (None, "m")
    both = '\n[[runs]]\nname = "b"\nstart = "dense"\nmodel = "commands"\n'
    with pytest.raises(RecipeError, match="run b: starts from a run and from a model; give one"):
        load_queue(written(TEXT.replace("\n[changes]", both + "\n[changes]")))


def test_a_recipe_beside_the_queue_comes_first(written, tmp_path):
    text = shipped()["commands"].read_text(encoding="utf-8").replace("batch = 48", "batch = 7")
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    queue = load_queue(written(TEXT.replace('"commands"', '"mine.toml"')))
    assert queue.runs[0].recipe.learning.batch == 7


def test_the_shipped_curve():
    queue = load_queue(shipped_queues()["curve"])
    names = {run.name for run in queue.runs}
    assert {f"lstm-{zeros}-8" for zeros in (0, 50, 75, 90, 95)} <= names
    for name in ("lstm-0-8", "lstm-75-8", "lstm-75-4", "lstm-90-8"):
        same = [run for run in queue.runs if run.name in (name, f"{name}-seed-2", f"{name}-seed-3")]
        assert sorted(run.recipe.seed for run in same) == [1, 2, 3]
    made = {run.name: run.recipe for run in queue.runs}
    for run in queue.runs:
        if run.name.startswith("dense"):
            assert run.recipe.pruning.zeros == 0 and run.recipe.quantisation.bits == 8
            continue
        assert run.start is not None and made[run.start].pruning.zeros == 0
        assert made[run.start].seed == run.recipe.seed
        assert made[run.start].network == run.recipe.network
        _, zeros, bits, *_ = run.name.split("-")
        assert run.recipe.pruning.zeros == int(zeros) / 100
        assert run.recipe.quantisation.bits == int(bits)
        assert run.recipe.network.predictor == run.name.partition("-")[0]
        assert run.recipe.pruning.end <= run.recipe.quantisation.begin < run.recipe.learning.steps


@pytest.mark.parametrize(
    ("was", "wrong", "told"),
    [
        ('recipe = "commands"', 'recipe = "nothing"', "nothing: no such file"),
        ('name = "sparse"', 'name = "dense"', "run dense: is there twice"),
        ('["short", "few"]', '["long"]', "there are no changes 'long'; there are: short, few"),
        ('name = "sparse"', 'name = "../x"', "runs.1.name: "),
        ('start = "dense"', 'start = "sparse"', "starts from 'sparse', which is no run before it"),
        ('"pruning.zeros"', '"pruning.zeroes"', "the recipe has no key 'pruning.zeroes'"),
        ('"pruning.zeros"', '"seed.zeros"', "the recipe has no key 'seed.zeros'"),
        ('"pruning.zeros" = 0.0', '"pruning.zeros" = 1.5', "pruning.zeros: "),
        ('"pruning.zeros"', '"corpus.clips"', "'corpus.clips' is of the corpus"),
        ('sets = ["test-30db"]', "set = 5", "set: there is no such key"),
        ('sets = ["test-30db"]', 'sets = ["test"]', "no set 'test'; there are: test-30db"),
    ],
)
def test_what_is_wrong_is_told(written, was, wrong, told):
    assert was in TEXT
    with pytest.raises(RecipeError) as error:
        load_queue(written(TEXT.replace(was, wrong)))
    assert told in str(error.value)
    assert str(error.value).isprintable()


def test_what_is_no_queue(written, tmp_path):
    assert not is_queue(shipped()["commands"])
    assert not is_queue(written("runs = ["))
    assert not is_queue(tmp_path / "nowhere.toml")
