"""What every test shares: the profiles of hypothesis and the place of the trained models.

The seed of all properties stands in pyproject.toml and is printed at the top of a run. Another
one: `pytest --hypothesis-seed=random`. More examples: `pytest --hypothesis-profile=long`.
"""

import gc
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent
LEFT_OUT: pytest.StashKey[str] = pytest.StashKey()

# No deadline: the first example of a numba function may compile it. No database: a run depends on
# nothing but its seed, and a failing example is printed as a line to paste.
settings.register_profile("fixed", deadline=None, database=None, print_blob=True)
settings.register_profile("long", settings.get_profile("fixed"), max_examples=5000)
settings.load_profile("fixed")


def pytest_report_header(config: pytest.Config) -> str:
    return f"hypothesis seed: {config.getoption('hypothesis_seed')}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is slow by itself begins first; the order of the others stays."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
    # What stands now stays to the end. To look through it again for every few hundred objects that
    # a test makes would be a fifth of the time of those that elaborate or simulate hardware.
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


# What a skipped test says of a package that is not there.
EXTRA = re.compile(r"the extra `?(\w+)`? is (not installed|needed)")


def left_out(reasons: Iterable[str]) -> str:
    """One line about all that was skipped, with the way to get it; empty if nothing was."""
    named = set()
    for reason in reasons:
        text = reason.removeprefix("Skipped: ")
        found = EXTRA.search(text)
        named.add(f"{text} (.venv/bin/pip install 'zeroskip[{found[1]}]')" if found else text)
    return f"left out: {'; '.join(sorted(named))}" if named else ""


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = [r.longrepr[2] if isinstance(r.longrepr, tuple) else str(r.longrepr) for r in skipped]
    config.stash[LEFT_OUT] = left_out(reasons)


def pytest_unconfigure(config: pytest.Config) -> None:
    """The last line of a run, behind pytest's own: nothing is skipped in silence."""
    if line := config.stash.get(LEFT_OUT, ""):
        print(line)


@pytest.fixture(scope="session")
def zoo() -> Path:
    """The folder of the trained models."""
    return ROOT / "npu" / "zoo"
