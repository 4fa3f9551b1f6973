"""Models as users name them: a `.tflite` file, a transducer's folder, a name from the zoo, or a
workload of published dimensions."""

import hashlib
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from compiler.frontends.formats import MAX_FILE_BYTES, Verdict, front_end
from compiler.frontends.workloads import names as workloads
from npu import zoo
from npu.errors import ModelError
from npu.files import read_file, write_folder
from npu.model.border import frames_out
from npu.model.config import MAX_FRAMES_OUT, ModelConfig, load_model_config
from npu.model.graph import Graph, Tensor
from npu.model.tokens import Tokens

TRANSDUCER_GRAPHS = ("encoder", "decoder", "joiner")


@dataclass(frozen=True, eq=False)
class Model:
    """A quantised model: one graph ("main"), or the three of a transducer.

    Attributes
    ----------
    name : file or folder name.
    graphs : by role.
    config, tokens : of a transducer, else None.
    sources : SHA-256 of every file read, by name.
    """

    name: str
    graphs: dict[str, Graph]
    config: ModelConfig | None
    tokens: Tokens | None
    sources: dict[str, str]

    @property
    def is_transducer(self) -> bool:
        return self.config is not None

    @property
    def frames_out(self) -> int:
        """Frames that an encoder call of a transducer gives, each of which is joined."""
        return frames_out(self.graphs["encoder"], self.graphs["joiner"])


def load_model(model: str | Path, signature: str | None = None) -> Model:
    """Read a model, one of its signatures where it has several.

    Raises ModelError or UnsupportedError with the file and the reason.
    """
    path = _place(model)
    if _is_transducer(model, path) and signature is not None:
        raise ModelError(f"{model}: a transducer has no signatures to choose from")
    if workloads.is_workload(model):
        return _load_workload(workloads.workload_of(model))
    if path.is_dir():
        return _load_transducer(path)
    if not path.exists():
        raise ModelError(
            f"no model {str(model)!r}: give a .tflite or .onnx file, a transducer folder, a "
            f"compiled .npu, a zoo model ({', '.join(zoo.names())}), or a workload "
            f"({', '.join(workloads.PREFIX + name for name in workloads.published())})"
        )
    graph = front_end(path).read(path, signature)
    return Model(path.name, {"main": graph}, None, None, {path.name: _digest(path)})


def examine_model(model: str | Path) -> dict[str, list[Verdict]]:
    """Every operator of a model and whether it runs here, by file.

    As far as an operator alone shows it: what follows from its neighbours and the chip,
    `load_model` and `compiler.check_model` find. Raises ModelError or UnsupportedError where that
    much cannot be told.
    """
    if workloads.is_workload(model):
        # What is built here is built of operators that run.
        workloads.workload_of(model)
        raise ModelError(f"{model}: has no file to examine; every operator of a workload runs")
    path = _place(model)
    files = [path]
    if path.is_dir():
        config = load_model_config(path / "model.json")
        files = [path / getattr(config, role).file for role in TRANSDUCER_GRAPHS]
    return {file.name: front_end(file).examine(file) for file in files}


def model_files(model: str | Path) -> list[Path]:
    """The files that `load_model` may read, those of a folder all; none if there is no model."""
    if workloads.is_workload(model):
        workloads.workload_of(model)
        return [workloads.DIMENSIONS]
    path = _place(model)
    return sorted(path.iterdir()) if path.is_dir() else [path] if path.exists() else []


def _place(model: str | Path) -> Path:
    path = Path(model)
    return zoo.path(str(model)) if not path.exists() and str(model) in zoo.names() else path


def _is_transducer(model: str | Path, path: Path) -> bool:
    return workloads.is_workload(model) or path.is_dir()


def _load_workload(workload: workloads.Workload) -> Model:
    # Only who asks for one pays for what builds it.
    from compiler.frontends.workloads.assemble import assemble
    from compiler.frontends.workloads.weights import RandomWeights

    weights = RandomWeights(workload.sparsity, workload.seed)
    parts = assemble(workload.name, workload.dimensions, weights)
    model = Model(str(workload), parts.graphs, parts.config, parts.tokens, parts.sources)
    _check_transducer(model, parts.config, parts.tokens)
    return model


def _load_transducer(folder: Path) -> Model:
    if not (folder / "model.json").exists():
        if any(folder.glob("*.onnx")):
            return _load_float_transducer(folder)
        raise ModelError(f"{folder}: {_no_transducer(folder)}")
    config = load_model_config(folder / "model.json")
    tokens = Tokens.load(folder / "tokens.txt")
    files = {role: folder / getattr(config, role).file for role in TRANSDUCER_GRAPHS}
    for role, file in files.items():
        if not file.exists():
            raise ModelError(f"{folder}: {role} file {file.name!r} is missing")
    graphs = {role: front_end(file).read(file) for role, file in files.items()}
    if tuple(config.joiner.inputs) != ("encoder_out", "decoder_out"):
        joiner = graphs["joiner"]
        graphs["joiner"] = Graph(
            joiner.name, joiner.tensors, joiner.operators, joiner.inputs[::-1], joiner.outputs
        )
    read = [folder / "model.json", folder / "tokens.txt", *files.values()]
    # "." and ".." have no name of their own.
    model = Model(folder.resolve().name, graphs, config, tokens, {f.name: _digest(f) for f in read})
    _check_transducer(model, config, tokens)
    return model


def _load_float_transducer(folder: Path) -> Model:
    """A folder in ONNX: quantised on the data in it, into a folder that is read as any other."""
    from compiler.frontends.onnx.transducer import data_in, quantise_transducer

    made = quantise_transducer(folder, data_in(folder))
    with tempfile.TemporaryDirectory(prefix="zeroskip-") as place:
        write_folder(Path(place), made.files)
        model = _load_transducer(Path(place))
    sources = {file.name: _digest(file) for file in sorted(folder.iterdir()) if file.is_file()}
    return replace(model, name=folder.resolve().name, sources=sources)


def _no_transducer(folder: Path) -> str:
    """What a folder without a model.json is, and the way out."""
    if (folder / "saved_model.pb").exists():
        return "it is a SavedModel of TensorFlow; give a .tflite file, quantised to int8"
    return (
        "a transducer's folder holds model.json, tokens.txt, encoder, decoder and joiner; "
        "model.json is missing"
    )


def _check_transducer(model: Model, config: ModelConfig, tokens: Tokens) -> None:
    """What the three graphs and the configuration say of each other must agree."""

    def only(role: str, side: str, index: int = 0) -> Tensor:
        graph = model.graphs[role]
        indices = graph.inputs if side == "inputs" else graph.outputs
        wanted = 2 if (role, side) == ("joiner", "inputs") else 1
        if len(indices) != wanted:
            raise ModelError(f"{model.name}: {role} has {len(indices)} {side}, must have {wanted}")
        return graph.tensors[indices[index]]

    features = only("encoder", "inputs")
    front = config.frontend
    shape = (1, config.encoder.frames_per_call, front.frame_size)
    if features.shape != shape or features.dtype != "int8":
        raise ModelError(
            f"{model.name}: encoder input is {features.dtype} {list(features.shape)}, model.json "
            f"makes int8 {list(shape)}"
        )
    symbol = only("decoder", "inputs")
    if symbol.size != 1 or symbol.dtype != "int32":
        raise ModelError(f"{model.name}: decoder input must be one int32 symbol")
    for index, role in enumerate(("encoder", "decoder")):
        output, wanted = only(role, "outputs"), only("joiner", "inputs", index)
        frames = model.frames_out if role == "encoder" else 1
        if output.size != frames * wanted.size:
            raise ModelError(
                f"{model.name}: {role} gives {output.size} values, joiner takes {wanted.size}"
            )
        if frames > MAX_FRAMES_OUT or (frames > 1 and output.shape[-1] != wanted.size):
            raise ModelError(
                f"{model.name}: {role} gives {list(output.shape)}, joiner takes frames of "
                f"{wanted.size} values: a call must give up to {MAX_FRAMES_OUT} of them, each in "
                "the last axis"
            )
        for tensor in (output, wanted):
            if tensor.dtype != "int8" or tensor.quantization is None:
                raise ModelError(f"{model.name}: tensor {tensor.name!r} must be quantised int8")
    logits = only("joiner", "outputs")
    if logits.size != len(tokens) or logits.dtype != "int8":
        raise ModelError(
            f"{model.name}: joiner gives {logits.size} logits, tokens.txt has {len(tokens)}"
        )
    if config.start_id >= len(tokens):
        raise ModelError(f"{model.name}: start_id {config.start_id} is not in tokens.txt")


def _digest(path: Path) -> str:
    return hashlib.sha256(read_file(path, MAX_FILE_BYTES, ModelError)).hexdigest()
