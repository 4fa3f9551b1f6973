"""The notebook says today what it said when it was kept."""

import nbformat

from reports import notebook


def test_the_notebook_is_executed_again():
    kept = notebook.texts(nbformat.read(notebook.NOTEBOOK, as_version=4))
    assert notebook.texts(notebook.executed()) == kept, "run: python -m reports.notebook"
    assert len(kept) == 5 and "28," in kept[0] and "did you mean 'lanes'" in kept[3]
