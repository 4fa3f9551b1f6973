"""Names of people, for what a grammar leaves open: of the United States' census of 1990.

The census is in the public domain; the package `names` ships its lists, the most frequent first.
"""

import re
from collections.abc import Collection
from importlib.resources import files

from compiler.train.recipe import Names
from npu.errors import RecipeError

_LISTS = {"surnames": "dist.all.last", "women": "dist.female.first", "men": "dist.male.first"}
_SHORTEST = 3


def names(wanted: Names, taken: Collection[str] = ()) -> list[str]:
    """The most frequent names, in lower case, none of them twice.

    Parameters
    ----------
    wanted : how many of each list.
    taken : words that are no names here.

    Raises RecipeError if the package is missing.
    """
    try:
        package = files("names")
    except ModuleNotFoundError:
        raise RecipeError(
            "the recipe's [names] need the package names; install it: pip install names"
        ) from None
    found: dict[str, None] = {}
    for kind, file in _LISTS.items():
        lines = (package / file).read_text(encoding="utf-8").splitlines()
        all_names = (line.split()[0].lower() for line in lines if line.strip())
        # Shorter ones are spelt by synthesisers.
        fit = [each for each in all_names if re.fullmatch(f"[a-z]{{{_SHORTEST},}}", each)]
        found |= dict.fromkeys(fit[: getattr(wanted, kind)])
    return [name for name in found if name not in taken]
