"""Execute the notebook again: `python -m reports.notebook`.

`reports/notebook.ipynb` shows the Python API on the zoo's model. It is kept with what it printed;
the test executes it again and compares. It needs the extra `test`.
"""

import os
from pathlib import Path
from typing import Any

NOTEBOOK = Path(__file__).with_suffix(".ipynb")
ROOT = Path(__file__).parent.parent
TIMEOUT_S = 600


def executed() -> Any:
    """The notebook (an nbformat node), executed again by a kernel of its own."""
    import nbformat
    from nbclient import NotebookClient

    found = nbformat.read(NOTEBOOK, as_version=4)
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    client = NotebookClient(
        found,
        timeout=TIMEOUT_S,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(ROOT)}},
    )
    client.execute(env=environment)
    return found


def texts(notebook: Any) -> list[str]:
    """What each cell of code printed or gave, as text."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # A first run says on stderr that it compiles.
            said = [output for output in cell.outputs if output.get("name") != "stderr"]
            shown = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in said]
            found.append("".join(shown))
    return found


def main() -> None:
    """Rewrite the notebook with what it prints today."""
    import nbformat

    found = executed()
    for number, cell in enumerate(found.cells):
        cell["id"] = f"cell-{number}"
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
    found.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    NOTEBOOK.write_text(nbformat.writes(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
