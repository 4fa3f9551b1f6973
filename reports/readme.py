"""Regenerate what the README shows: `python -m reports.readme`.

A block `<!-- output: COMMAND -->` ... `<!-- /output -->` gets what COMMAND prints in a folder with
`recording.wav` (a bundled utterance), `model.tflite` and `in.npz` (a recorded layer),
`encoder.onnx` and `frames.npz` (a float encoder and its calibration data), and `sweep.toml` as the
README has it; the commands run in the order of the text. The block
`<!-- operators -->` gets the table of operators, `<!-- models -->` that of other people's models,
from `reports/models.json`.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from compiler.frontends import refused_operators, supported_operators
from npu import zoo
from reports import models

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"

_OUTPUT = re.compile(r"(<!-- output: (.*?) -->\n)(.*?)(<!-- /output -->)", re.DOTALL)
_OPERATORS = re.compile(r"(<!-- operators -->\n)(.*?)(<!-- /operators -->)", re.DOTALL)
_SPEC = re.compile(r"```toml\n(models = .*?)```", re.DOTALL)
_MODELS = re.compile(r"(<!-- models -->\n)(.*?)(<!-- /models -->)", re.DOTALL)


def operators_table() -> str:
    """Markdown: what every operator must fulfil, then a line per operator."""
    table = supported_operators()
    common = [text for text in table[0][1] if 2 * sum(text in t for _, t in table) > len(table)]
    lines = [
        f"Of most operators: {'; '.join(common)}. Beyond that:",
        "",
        "| operator | what it must fulfil |",
    ]
    lines.append("|---|---|")
    for name, texts in table:
        own = [text for text in texts if text not in common]
        lines.append(f"| `{name}` | {'; '.join(own)} |")
    lines += ["", "What TensorFlow Lite Micro has besides, and why it is refused:", ""]
    lines += ["| operator | reason |", "|---|---|"]
    lines += [f"| `{name}` | {reason} |" for name, reason in refused_operators()]
    return "\n".join(lines) + "\n"


def with_tables(text: str) -> str:
    """The README with the tables of today."""
    return _with(_MODELS, models.table(models.read()), _with(_OPERATORS, operators_table(), text))


def _with(block: re.Pattern[str], table: str, text: str) -> str:
    return block.sub(lambda found: f"{found[1]}\n{table}{found[3]}", text)


def with_outputs(text: str, run: Callable[[str], str]) -> str:
    """The README with what its commands print."""

    def block(found: re.Match[str]) -> str:
        return f"{found[1]}```text\n$ {found[2]}\n{tidy(run(found[2]))}```\n{found[4]}"

    return _OUTPUT.sub(block, text)


def tidy(output: str) -> str:
    """Without blank lines at either end, and without spaces at the ends of lines."""
    lines = [line.rstrip() for line in output.splitlines()]
    return "\n".join(lines).strip("\n") + "\n"


def shown_spec() -> str:
    """The spec of a sweep that the README shows."""
    return _SPEC.findall(README.read_text(encoding="utf-8"))[0]


def _runner(folder: Path) -> Callable[[str], str]:
    utterance = zoo.path("commands_rnnt") / "utterances" / "test_sent_284.wav"
    layer = ROOT / "tests" / "vectors" / "tflite" / "fc_wide"
    shutil.copy(utterance, folder / "recording.wav")
    shutil.copy(layer.with_suffix(".tflite"), folder / "model.tflite")
    shutil.copy(layer.with_suffix(".npz"), folder / "in.npz")
    floats = ROOT / "tests" / "vectors" / "float" / "lstm_rnnt_small"
    for name in ("encoder.onnx", "frames.npz"):
        shutil.copy(floats / name, folder / name)
    (folder / "sweep.toml").write_text(shown_spec(), encoding="utf-8")

    def run(command: str) -> str:
        script = f'npu() {{ "{sys.executable}" -m npu.cli "$@"; }}; {command}'
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=folder,
            env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        return done.stdout

    return run


def main() -> None:
    """Rewrite the README."""
    text = README.read_text(encoding="utf-8")
    with TemporaryDirectory() as folder:
        text = with_outputs(with_tables(text), _runner(Path(folder)))
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
