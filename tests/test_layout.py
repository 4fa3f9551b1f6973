"""The layout of the repository: where things are, and which way imports may point."""

import ast

import pytest

from tests.imports import (
    PACKAGES,
    ROOT,
    edges,
    files,
    imported,
    modules,
    reached,
    read,
    walked,
)

# What every room may import.
COMMON = {
    "npu.__version__",
    "npu.cache",
    "npu.errors",
    "npu.files",
    "npu.jit",
    "npu.pools",
    "npu.text",
}
# What nothing else of the product may import: the command line. The other roof, the public API, is
# a set of names of `npu` that no room is allowed.
ROOF = "npu.cli"
# Which packages and modules of ours a folder may import; the longest prefix of a path decides.
ALLOWED = {
    "npu": {*COMMON, "npu.chip.status", "npu.inner"},
    "npu/chip": {*COMMON, "npu.chip"},
    "npu/model": {*COMMON, "npu.model"},
    "npu/speech": {
        *COMMON,
        "npu.model.config",
        "npu.model.inputs",
        "npu.model.kaldi_frontend",
        "npu.model.tokens",
        "npu.speech",
    },
    "npu/twin": {*COMMON, "npu.chip", "npu.model.numerics", "npu.twin"},
    "npu/runtime": {
        *COMMON,
        "npu.chip",
        "npu.model",
        "npu.speech",
        "npu.twin",
        "npu.runtime",
    },
    "npu/events": {*COMMON, "npu.chip", "npu.twin", "npu.runtime", "npu.events"},
    "npu/waves": {*COMMON, "npu.chip", "npu.twin", "npu.waves"},
    "npu/analysis": {
        *COMMON,
        "npu.chip",
        "npu.events",
        "npu.model",
        "npu.speech",
        "npu.twin",
        "npu.runtime",
        "npu.waves",
        "npu.analysis",
    },
    "npu/zoo": {*COMMON, "npu.zoo"},
    # Above the compiler: it compiles and measures, point by point.
    "npu/sweep": {
        *COMMON,
        "npu.chip",
        "npu.model",
        "npu.runtime",
        "npu.analysis",
        "npu.zoo",
        "npu.sweep",
        "compiler",
    },
    "npu/__init__": {"npu", "kernels", "compiler", "rtl"},
    "npu/api": {"npu", "kernels", "compiler", "rtl"},
    "npu/cli": {"npu", "kernels", "compiler", "rtl", "reports"},
    "kernels": {*COMMON, "npu.model", "kernels"},
    "compiler": {
        *COMMON,
        "npu.chip",
        "npu.model",
        "npu.speech.beam",
        "npu.speech.host",
        "npu.speech.hotwords",
        "npu.speech.scores",
        "npu.speech.search",
        "npu.runtime.header",
        "npu.runtime.image",
        "kernels",
        "compiler",
    },
    "compiler/codec": {*COMMON, "npu.chip", "compiler.codec"},
    "compiler/frontends": {
        *COMMON,
        "npu.model",
        "npu.zoo",
        "kernels",
        "compiler.floats",
        "compiler.frontends",
        "compiler.quantise",
        "compiler.tflite_writer",
    },
    "compiler/tflite_writer": {"compiler.tflite_writer"},
    # From float layers to integers, in the form of TFLite.
    "compiler/quantise": {
        *COMMON,
        "npu.model",
        "compiler.floats",
        "compiler.quantise",
        "compiler.tflite_writer",
    },
    "compiler/floats": {*COMMON, "npu.model", "compiler.floats"},
    # Above the compiler's front ends, whose files it writes.
    "compiler/train": {
        *COMMON,
        "npu.model",
        "npu.speech",
        "compiler.frontends",
        "compiler.quantise",
        "compiler.tflite_writer",
        "compiler.train",
    },
    "compiler/train/export": {
        *COMMON,
        "npu.model",
        "compiler.frontends",
        "compiler.quantise",
        "compiler.tflite_writer",
        "compiler.train.export",
    },
    # Our searches on the exported network, beside another decoder.
    "compiler/train/sherpa": {
        *COMMON,
        "npu.model",
        "npu.speech",
        "compiler.frontends",
        "compiler.quantise",
        "compiler.train.export",
        "compiler.train.sherpa",
    },
    "compiler/lowering": {
        *COMMON,
        "npu.chip",
        "npu.model",
        "compiler.lowering",
    },
    "compiler/programs": {
        *COMMON,
        "npu.model",
        "npu.runtime.header",
        "npu.runtime.host_interface",
        "compiler.frontends.models",
        "compiler.lowering.registers",
        "compiler.programs",
    },
    "compiler/passes": {
        *COMMON,
        "npu.chip",
        "npu.model",
        "npu.runtime.header",
        "npu.runtime.image",
        "compiler.codec",
        "compiler.frontends.models",
        "compiler.lowering",
        "compiler.programs",
        "compiler.passes",
    },
    "rtl": {*COMMON, "npu.chip", "npu.model.numerics", "rtl"},
    # The rooms of the chip: what units share, then the units; only `rtl/top.py` sees all of them.
    "rtl/shared": {"npu.errors", "npu.chip", "rtl.shared"},
    "rtl/memory": {"npu.chip", "rtl.shared", "rtl.memory"},
    "rtl/lane": {"npu.chip", "rtl.shared", "rtl.memory", "rtl.lane"},
    "rtl/matvec": {
        "npu.chip",
        "npu.model.numerics",
        "rtl.shared",
        "rtl.memory.scrub",
        "rtl.lane",
        "rtl.matvec",
    },
    "rtl/vector": {"npu.chip", "npu.model.numerics", "rtl.shared", "rtl.vector"},
    "rtl/dma": {"npu.chip", "rtl.shared", "rtl.dma"},
    "rtl/sequencer": {"npu.chip", "rtl.shared", "rtl.sequencer"},
    "rtl/control": {"npu.chip", "rtl.shared", "rtl.dma", "rtl.control"},
    "rtl/clocking": {"npu.chip", "rtl.shared", "rtl.clocking"},
    "rtl/verilog": {*COMMON, "rtl.verilog"},
    "rtl/views": {*COMMON, "npu.chip.status", "rtl.control.registers", "rtl.views"},
    "rtl/driver": {*COMMON, "npu.chip", "rtl.control.registers", "rtl.driver", "rtl.views"},
    "rtl/exports": {*COMMON, "npu.chip", "npu.runtime", "rtl"},
    "rtl/sim": {*COMMON, "npu.chip", "rtl"},
    "rtl/netlist": {*COMMON, "npu.chip", "rtl"},
    "rtl/cocotb": {*COMMON, "npu.chip", "npu.twin", "npu.runtime", "rtl"},
    "reports": {"npu", "kernels", "compiler", "rtl", "reports"},
}
OURS = {"npu", "kernels", "compiler", "rtl", "reports", "tests"}
# Its libraries are large: only training needs them, and only the command line needs training.
TRAINING = ("compiler.train", "torch")
# It takes a module that its caller has made with PyTorch.
OF_TORCH = tuple(f"compiler/frontends/onnx/torch_{name}.py" for name in ("module", "projected"))
# The outside oracle belongs to the tests: the product never computes with it.
ORACLE = "tflite_micro"
TIMED_THERE = "compiler/bench/rivals.py"
"""The one module of the product that imports it: to time it, never for what it computes."""

TOP_LEVEL = {
    ".ci",
    ".gitattributes",
    ".gitignore",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "compiler",
    "kernels",
    "npu",
    "pyproject.toml",
    "reports",
    "rtl",
    "tests",
}

# Written in two pieces so that this file passes its own test.
REGISTRY_HOSTS = [
    "pypi" + ".org",
    "files.python" + "hosted.org",
    "download." + "pytorch.org",
    "registry." + "npmjs.org",
    "registry." + "yarnpkg.com",
    "conda" + ".anaconda.org",
    "crates" + ".io",
    "proxy.go" + "lang.org",
    "deb." + "debian.org",
    "archive." + "ubuntu.com",
]


def forbidden(source: str, path: str) -> list[str]:
    """The imports that the module at `path` (relative, with slashes) must not have."""
    parts = path.split("/")
    prefixes = ["/".join(parts[:n]) for n in range(len(parts), 0, -1)]
    # npu/cli.py would be the composition root as well as npu/cli/.
    allowed = next(ALLOWED[p] for q in prefixes if (p := q.removesuffix(".py")) in ALLOWED)
    found = []
    for line, name in imported(source, package=".".join(parts[:-1])):
        root = name.partition(".")[0]
        # A package above an allowed one is allowed, too: Python runs it on the way.
        known = any(f"{name}.".startswith(f"{a}.") or a.startswith(f"{name}.") for a in allowed)
        over = f"{name}.".startswith(f"{ROOF}.") and not path.startswith("npu/cli/")
        if (root == ORACLE and path != TIMED_THERE) or over or (root in OURS and not known):
            found.append(f"{path}:{line} imports {name}")
    return sorted(set(found))


def test_imports_point_one_way():
    found = []
    for path in modules(*PACKAGES):
        found += forbidden(read(path), path.as_posix())
    assert not found, "\n".join(found)


def trains(source: str, path: str) -> list[str]:
    """The imports that need the extra `train`, of a module that must do without.

    The command line needs it where it is used, not to start.
    """
    if path in OF_TORCH:
        return []
    inside = path.startswith("compiler/train/")
    if inside and not path.startswith("compiler/train/export/"):
        return []
    if path.startswith("npu/cli/"):
        kinds = (ast.Import, ast.ImportFrom)
        at_start = [node for node in ast.parse(source).body if isinstance(node, kinds)]
        source = ast.unparse(ast.Module(at_start, []))
    wanted = tuple(f"{name}." for name in (TRAINING[1:] if inside else TRAINING))
    names = [name for _, name in imported(source, package=path.rpartition("/")[0])]
    return [f"{path} imports {name}" for name in names if f"{name}.".startswith(wanted)]


def test_only_the_command_line_needs_training():
    found = [line for path in modules(*PACKAGES) for line in trains(read(path), path.as_posix())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source", "caught"),
    [
        ("compiler/bench/codec.py", "from compiler.train.export import Grid", True),
        ("compiler/train/export/graphs.py", "def f():\n    import torch.nn", True),
        ("npu/sweep/fit.py", "import torch", True),
        ("compiler/train/export/folder.py", "from compiler.train.export import graphs", False),
        ("compiler/train/loss.py", "import torch", False),
        ("npu/cli/train.py", "def f():\n    import compiler.train", False),
        ("npu/cli/train.py", "from compiler.train import recipe", True),
    ],
)
def test_an_import_that_trains_is_caught(path, source, caught):
    assert bool(trains(source, path)) is caught


def in_circles(pairs: set[tuple[str, str]]) -> set[str]:
    """The rooms that need themselves."""
    return {room for pair in pairs for room in pair if room in reached(room, pairs)}


def test_no_rooms_need_each_other():
    pairs = edges()
    assert not in_circles(pairs)
    assert len(pairs) > 20


def test_a_circle_is_caught():
    assert in_circles({*edges(), ("npu/chip", "npu/analysis")}) >= {"npu/chip", "npu/analysis"}


@pytest.mark.parametrize(
    ("path", "source", "name"),
    [
        ("npu/chip/weight_format.py", "import kernels", "kernels"),
        (
            "npu/twin/streams.py",
            "def f():\n    from compiler.lowering.ir import Graph\n",
            "compiler.lowering.ir",
        ),
        (
            "npu/chip/params.py",
            "from importlib import import_module\nimport_module('rtl.top')",
            "rtl.top",
        ),
        (
            "kernels/recurrent.py",
            "import numpy, compiler.lowering.ir as ir",
            "compiler.lowering.ir",
        ),
        ("compiler/deal.py", "from rtl import lane", "rtl.lane"),
        ("rtl/lane/lane.py", "if True:\n    import kernels.product", "kernels.product"),
        ("compiler/read.py", "from tests import naive", "tests.naive"),
        ("compiler/passes/verify.py", "import tflite_micro", "tflite_micro"),
        ("npu/chip/trace.py", "from reports.page import draw", "reports.page"),
        ("npu/chip/timing.py", "from npu.twin import streams", "npu.twin.streams"),
        ("npu/twin/streams.py", "from npu.runtime import image", "npu.runtime.image"),
        ("npu/speech/audio.py", "from npu.model.graph import Graph", "npu.model.graph"),
        ("npu/runtime/image.py", "from npu.analysis import energy", "npu.analysis.energy"),
        ("npu/errors.py", "from npu.chip import isa", "npu.chip.isa"),
        ("npu/events/trace.py", "from npu.analysis import energy", "npu.analysis.energy"),
        ("npu/model/graph.py", "from npu.cli import main", "npu.cli.main"),
        ("npu/speech/transcribe.py", "from npu.analysis import energy", "npu.analysis.energy"),
        ("npu/analysis/runs.py", "from npu.sweep import fit", "npu.sweep.fit"),
        ("compiler/compile.py", "from npu.sweep import fit", "npu.sweep.fit"),
        ("npu/sweep/fit.py", "from npu.cli import main", "npu.cli.main"),
        ("npu/speech/host.py", "from npu.runtime.image import Image", "npu.runtime.image.Image"),
        (
            "npu/analysis/sides.py",
            "from compiler.frontends.models import Model",
            "compiler.frontends.models.Model",
        ),
        ("npu/analysis/sides.py", "import kernels", "kernels"),
        ("npu/analysis/speed.py", "def f():\n    import rtl.sim", "rtl.sim"),
        ("reports/page.py", "from npu.cli._output import table", "npu.cli._output.table"),
        ("reports/studies/a.py", "from npu import cli", "npu.cli"),
        ("npu/__init__.py", "from npu.cli import main", "npu.cli.main"),
        ("compiler/read.py", "from npu import load", "npu.load"),
        ("compiler/lowering/site.py", "from compiler.passes import link", "compiler.passes.link"),
        ("compiler/codec/tile.py", "from compiler.lowering import ir", "compiler.lowering.ir"),
        ("compiler/programs/graph.py", "import compiler.codec", "compiler.codec"),
        (
            "compiler/tflite_writer/specs.py",
            "from npu.errors import NpuError",
            "npu.errors.NpuError",
        ),
        ("compiler/train/export/folder.py", "from npu.zoo import path", "npu.zoo.path"),
        ("rtl/lane/lane.py", "from npu.twin.streams import decode", "npu.twin.streams.decode"),
        ("rtl/lane/lane.py", "from rtl.matvec import requantiser", "rtl.matvec.requantiser"),
        ("rtl/dma/dma.py", "def f():\n    from rtl import control", "rtl.control"),
        ("rtl/shared/axi.py", "from ..memory import ram", "rtl.memory.ram"),
        ("rtl/verilog/writer.py", "from rtl.top import Chip", "rtl.top"),
    ],
)
def test_a_forbidden_import_is_caught(path, source, name):
    assert any(line.endswith(f"imports {name}") for line in forbidden(source, path))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("npu/cli/run.py", "from compiler import compile_model\nimport kernels, rtl"),
        (
            "npu/twin/streams.py",
            "from npu.chip import isa\nfrom . import bank\nfrom ..chip import isa",
        ),
        (
            "compiler/deal.py",
            "import numpy\nfrom kernels.engines import dense\nfrom npu.chip import params",
        ),
        ("reports/size.py", "import compiler, rtl"),
        ("npu/__init__.py", "def load():\n    from compiler.frontends.models import load_model"),
        ("npu/cli/run.py", "from npu.cli._output import table"),
    ],
)
def test_an_allowed_import_passes(path, source):
    assert forbidden(source, path) == []


def test_the_naive_oracle_shares_no_numerics():
    path = ROOT / "tests" / "naive.py"
    names = [name for _, name in imported(path.read_text(encoding="utf-8"), package="tests")]
    assert not [name for name in names if (name + ".").startswith("npu.model.numerics.")]


def test_the_top_level_holds_only_what_belongs_there():
    assert {path.parts[0] for path in files()} <= TOP_LEVEL


def test_the_repository_is_seen_without_git_too():
    assert set(files()) <= {name for name in walked() if (ROOT / name).is_file()}


def test_no_file_names_a_package_registry():
    found = [
        f"{path} names {host}"
        for path in files()
        for host in REGISTRY_HOSTS
        if host.encode() in (ROOT / path).read_bytes()
    ]
    assert not found, "\n".join(found)


def test_every_module_says_what_it_is():
    silent = [
        path.as_posix() for path in modules(*OURS) if not ast.get_docstring(ast.parse(read(path)))
    ]
    assert not silent, "\n".join(silent)
