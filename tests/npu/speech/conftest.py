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


@pytest.fixture(scope="module")
def openfst_tools() -> None:
    """OpenFst's programs are there."""
    if not shutil.which("fstcompile"):
        pytest.skip("OpenFst is not installed (sudo apt-get install libfst-tools)")
