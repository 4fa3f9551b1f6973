"""A trained transducer's folder: written whole and read back, or not at all."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from compiler.frontends.models import Model, load_model
from compiler.tflite_writer import write
from compiler.train.export import graphs
from compiler.train.export.checks import check
from compiler.train.export.network import TrainedTransducer
from npu.errors import ModelError, NpuError
from npu.files import require_place_of_folder, write_folder
from npu.model.config import FrontendConfig

_NOTE = (
    "{} lives in the model's variables and carries over from call to call; "
    "reset at the start of an utterance"
)


def write_transducer(
    folder: str | Path,
    trained: TrainedTransducer,
    tokens: Sequence[str],
    frontend: FrontendConfig | Mapping[str, Any],
    name: str,
    provenance: Any,
    *,
    start_id: int = 0,
    max_symbols_per_frame: int = 6,
    silence_s: float | None = None,
    replace: bool = False,
) -> Model:
    """Write encoder, decoder and joiner, tokens.txt and model.json.

    Parameters
    ----------
    folder : made here; its parent must exist
    tokens : the symbols by id, the blank first; a space is written as `<space>`
    frontend : of model.json
    name, provenance : of model.json; the latter is any JSON
    silence_s : likewise, as `npu.model.config.ModelConfig` has it
    replace : whether files of these names in a folder that is there are replaced; others stay

    Returns
    -------
    Model
        As it is read from the files.

    Raises
    ------
    ModelError
        Parts of the network do not fit together, a bias is beyond int32, or what was written is no
        model that the compiler reads. Nothing is left then.
    NpuError
        The folder is there without `replace`, or cannot be written.
    """
    check(trained)
    target = require_place_of_folder(folder)
    if target.exists() and not replace:
        raise NpuError(f"{folder}: is there already; name another folder, or replace it")
    if len(tokens) != trained.symbols:
        raise ModelError(f"there are {len(tokens)} tokens for {trained.symbols} symbols")
    files = {
        "encoder.tflite": write(graphs.encoder(trained)),
        "decoder.tflite": write(graphs.decoder(trained)),
        "joiner.tflite": write(graphs.joiner(trained)),
        "tokens.txt": _tokens(tokens),
        "model.json": _config(
            {
                "name": name,
                "type": "transducer",
                "blank_id": 0,
                "start_id": start_id,
                "max_symbols_per_frame": max_symbols_per_frame,
                "encoder": {
                    "file": "encoder.tflite",
                    "frames_per_call": trained.frames_per_call,
                    "stateful": True,
                    "note": _NOTE.format("state"),
                },
                "decoder": {"file": "decoder.tflite", "stateful": True},
                "joiner": {"file": "joiner.tflite", "inputs": ["encoder_out", "decoder_out"]},
                "frontend": frontend.model_dump(mode="json")
                if isinstance(frontend, FrontendConfig)
                else dict(frontend),
                **({} if silence_s is None else {"silence_s": silence_s}),
                "provenance": provenance,
            }
        ),
    }
    with tempfile.TemporaryDirectory(prefix=".export-", dir=target.parent) as place:
        staged = Path(place) / target.name
        write_folder(staged, files)
        load_model(staged)
        if target.exists():
            write_folder(target, files)
        else:
            _moved(staged, target)
    return load_model(target)


def _moved(staged: Path, target: Path) -> None:
    try:
        staged.rename(target)
    except OSError as error:
        raise NpuError(f"cannot write {target}: {error.strerror or error}") from error


def _tokens(tokens: Sequence[str]) -> bytes:
    lines = [f"{'<space>' if t == ' ' else t} {index}\n" for index, t in enumerate(tokens)]
    return "".join(lines).encode()


def _config(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()
