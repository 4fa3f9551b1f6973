"""What every test shares: the profiles of hypothesis and the place of the trained models.

The seed of all properties stands in pyproject.toml and is printed at the top of a run. Another
one: `pytest --hypothesis-seed=random`. More examples: `pytest --hypothesis-profile=long`.
"""

from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parent.parent

# No deadline: the first example of a numba function may compile it. No database: a run depends on
# nothing but its seed, and a failing example is printed as a line to paste.
settings.register_profile("fixed", deadline=None, database=None, print_blob=True)
settings.register_profile("long", settings.get_profile("fixed"), max_examples=5000)
settings.load_profile("fixed")


def pytest_report_header(config: pytest.Config) -> str:
    return f"hypothesis seed: {config.getoption('hypothesis_seed')}"


@pytest.fixture(scope="session")
def zoo() -> Path:
    """The folder of the trained models."""
    return ROOT / "npu" / "zoo"
