"""A network with the weights of a model that was written: it says the same again."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra `train` is not installed")

from compiler.frontends.models import load_model  # noqa: E402
from compiler.train.export.reading import trained_of  # noqa: E402
from compiler.train.learn.convert import take, trained  # noqa: E402
from compiler.train.learn.loop import Learner  # noqa: E402
from compiler.train.recipe import load_recipe, shipped  # noqa: E402
from npu.errors import RecipeError  # noqa: E402


def learner(**network):
    recipe = load_recipe(shipped()["commands"])
    return Learner(
        recipe.model_copy(update={"network": recipe.network.model_copy(update=network)}), "cpu"
    )


def test_the_weights_are_those_of_the_model():
    start, made = trained_of(load_model("commands")), learner()
    take(made.network, start)
    assert made.zeros == 0, "zeros are the recipe's"
    made.network.fix(8)
    again = trained(made.network)
    pairs = list(zip(start.encoder, again.encoder, strict=True))
    assert len(pairs) == 5
    for one, other in pairs[:2] + pairs[3:4]:
        for name in ("input_weights", "recurrent_weights", "bias"):
            # The steps are those of the greatest weights, which may not be 127.
            gates = getattr(one, name)
            most = np.abs(gates).max() / 127
            np.testing.assert_allclose(getattr(other, name), gates, rtol=0, atol=0.51 * most)
    np.testing.assert_array_equal(start.predictor.embedding.table, again.predictor.embedding.table)
    np.testing.assert_array_equal(start.joiner.output.bias, again.joiner.output.bias)


@pytest.mark.parametrize(
    "network, match",
    [
        ({"layers": [192, 192]}, "the model has 7 layers, and the recipe 6"),
        ({"layers": [192, 192, 96]}, "294,912 values, and the recipe's 147,456; give network"),
        ({"predictor": "stateless"}, "is TrainedLstm, and of the recipe Dense"),
    ],
)
def test_models_of_another_form(network, match):
    with pytest.raises(RecipeError, match=match):
        take(learner(**network).network, trained_of(load_model("commands")))
