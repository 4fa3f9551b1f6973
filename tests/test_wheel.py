"""The wheel, installed outside the checkout: everything that the command needs is in it.

Built from the files that git knows, so that nothing old is taken along, and without the network:
the environment sees the packages that the tests have.
"""

import importlib.metadata
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

import npu
from tests.imports import PACKAGES, ROOT, files, modules

OLDEST_SETUPTOOLS = 77

pytestmark = pytest.mark.slow


def run(*command, **options) -> subprocess.CompletedProcess:
    """Run something that must not see the checkout."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [str(word) for word in command],
        env={**environment, **options.pop("env", {})},
        capture_output=True,
        text=True,
        check=False,
        **options,
    )


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel of the working tree."""
    found = importlib.metadata.version("setuptools")
    if int(found.partition(".")[0]) < OLDEST_SETUPTOOLS:
        pytest.skip(
            f"setuptools {OLDEST_SETUPTOOLS} or newer builds the wheel, {found} is installed "
            "(.venv/bin/pip install 'zeroskip[test]')"
        )
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for path in files():
        if path.parts[0] in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
            (source / path.parent).mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / path, source / path)
    build = f"from setuptools.build_meta import build_wheel; build_wheel({str(out)!r})"
    # Where setuptools lies on a path of its own, it is still found.
    seen = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = run(sys.executable, "-c", build, cwd=source, env=seen)
    assert done.returncode == 0, done.stderr
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory) -> Path:
    """The `bin` folder of a fresh environment with the wheel in it."""
    place = tmp_path_factory.mktemp("environment")
    assert run(sys.executable, "-m", "venv", "--without-pip", place).returncode == 0
    (packages,) = place.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"])
    pip = (sys.executable, "-m", "pip", "--python", place / "bin" / "python")
    done = run(*pip, "install", "--quiet", "--no-deps", "--no-index", wheel)
    assert done.returncode == 0, done.stderr
    return place / "bin"


def test_what_is_in_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        meta = archive.read(f"zeroskip-{npu.__version__}.dist-info/METADATA").decode()
    assert f"\nVersion: {npu.__version__}\n" in meta and "\nClassifier: Typing :: Typed\n" in meta
    assert not {path.as_posix() for path in modules(*PACKAGES)} - names
    assert not {f"{package}/py.typed" for package in PACKAGES} - names
    for folder, ending in (
        ("npu/zoo", ""),
        ("npu/chip", ".toml"),
        ("rtl", ".cpp"),
        ("rtl", ".c"),
        ("rtl", ".h"),
        ("rtl", ".v"),
    ):
        wanted = {p.as_posix() for p in files() if p.as_posix().startswith(f"{folder}/")}
        wanted = {name for name in wanted if name.endswith(ending)}
        assert wanted and not wanted - names
    assert "compiler/codec/README.md" in names
    assert not [name for name in names if name.startswith("tests")]


def test_it_answers_from_another_folder(installed, tmp_path):
    npu_, python = installed / "npu", installed / "python"
    assert run(npu_, "--version", cwd=tmp_path).stdout == f"zeroskip, version {npu.__version__}\n"
    where = "import npu, rtl, kernels, compiler, reports; print(npu.__file__, reports.__file__)"
    for name in run(python, "-c", where, cwd=tmp_path).stdout.split():
        assert Path(name).is_relative_to(installed.parent)
    done = run(npu_, "inspect", "commands_rnnt", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "commands_rnnt: transducer, " in done.stdout


def test_its_demo(installed, tmp_path):
    """Takes a minute: in a new place, everything is compiled to machine code anew."""
    own = {"XDG_CACHE_HOME": str(tmp_path)}
    done = run(installed / "npu", "demo", "--utterances", 1, cwd=tmp_path, env=own)
    assert done.returncode == 0, done.stderr
    assert "turn up the radio" in done.stdout and "text = TFLM      1 of 1" in done.stdout
