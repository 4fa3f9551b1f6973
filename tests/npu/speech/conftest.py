"""For the tests of speech: other people's programs."""

import shutil

import pytest


@pytest.fixture(scope="module")
def sclite() -> list[str]:
    """NIST's program, under either name."""
    if shutil.which("sclite"):
        return ["sclite"]
    if shutil.which("sctk"):
        return ["sctk", "sclite"]
    pytest.skip("NIST's sclite is not installed (sudo apt-get install sctk)")
