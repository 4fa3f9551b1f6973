"""Names from the census: enough of them, none twice, none that the grammar has."""

import re

from compiler.train.corpus.names import names
from compiler.train.recipe import Names


def test_names():
    made = names(Names(surnames=4000, women=1200, men=800), {"mary", "may"})
    assert len(made) >= 5000 and len(set(made)) == len(made)
    assert {"smith", "patricia", "robert"} <= set(made)
    assert not {"mary", "may"} & set(made)
    assert all(re.fullmatch("[a-z]{3,}", name) for name in made)
    few = names(Names(surnames=2, women=1, men=1))
    assert few == ["smith", "johnson", "mary", "james"]
