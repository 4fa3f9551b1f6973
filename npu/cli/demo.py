"""Transcribe the bundled utterances and compare every number with TensorFlow Lite Micro's."""

from __future__ import annotations

import json
import time
from itertools import chain
from pathlib import Path
from typing import Any

import click
import numpy as np

from compiler import Model, load_model
from npu import zoo
from npu.cli._layers import totals
from npu.cli._models import (
    chip_option,
    compile_for,
    files_of,
    first_run_notice,
    json_option,
    load_chip,
)
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.cli._speech import (
    Heard,
    Speech,
    Twin,
    chip_report,
    kernels_engine,
    peak_memory_mib,
    transcribe,
)
from npu.model.recording import Recording
from npu.runtime.image import Image
from npu.speech.phrases import Engine

MODEL = "commands_rnnt"
COMPARED = ("encoder_out", "logits", "tokens")
DIFFERENT = 1


@click.command()
@chip_option
@click.option("--utterances", type=click.IntRange(1, 100), metavar="N", help="Only the first N.")
@json_option
def command(chip: str | None, utterances: int | None, json_path: str | None) -> int:
    """Speech in, text out, on the simulated chip, with the proof that every bit is right.

    Exit status 1 if anything differs from what TensorFlow Lite Micro answered.
    """
    folder = zoo.path(MODEL) / "utterances"
    require_place(json_path, inputs=[*files_of(MODEL, chip), *folder.iterdir()])
    params = load_chip(chip)
    names = sorted(path.stem for path in folder.glob("*.npz"))[:utterances]
    expected_texts = json.loads((folder / "transcripts.json").read_text(encoding="utf-8"))
    began = time.perf_counter()
    with first_run_notice():
        model = load_model(MODEL)
        # Through the bytes of the file, as from a disk.
        image = Image.from_bytes(compile_for(model, params).to_bytes())
        compile_seconds = time.perf_counter() - began
        proof = _Proof(model, image)
        speech, twin = Speech.of_image(image), Twin(image)
        heard, entries = [], []
        with progress("transcribing", total=len(names)) as advance:
            for name in names:
                with np.load(folder / f"{name}.npz") as recorded:
                    proof.add({key: recorded[key] for key in COMPARED}, recorded["features"])
                    off = _feature_differences(speech, folder / f"{name}.wav", recorded["features"])
                # As it was recorded: one phrase, and every call run.
                answer = transcribe(speech, twin, folder / f"{name}.wav", end_seconds=None)
                heard.append(answer)
                entries.append(
                    _entry(name, answer, expected_texts[name]["tflm"].strip(), off, image, speech)
                )
                advance(1)
    report = _report(image, speech, heard, entries, proof.report)
    report["compile_seconds"] = compile_seconds
    report["total_seconds"] = time.perf_counter() - began
    report["peak_memory_mib"] = peak_memory_mib()
    emit_json(report, json_path)
    _show(report, json_path)
    return 0 if report["equal"] else DIFFERENT


class _Proof:
    """Kernels and twin on recorded features, element by element against the recording."""

    def __init__(self, model: Model, image: Image) -> None:
        self._kernels_saw, self._twin_saw = Recording(), Recording()
        self._engines: dict[str, Engine] = {
            "kernels": kernels_engine(model, self._kernels_saw),
            "twin": Twin(image, self._twin_saw),
        }
        self.report = {
            key: {"compared": 0, "kernels_differ": 0, "twin_differ": 0} for key in COMPARED
        }

    def add(self, recorded: dict[str, np.ndarray], features: np.ndarray) -> None:
        """One utterance."""
        self._kernels_saw.clear()
        self._twin_saw.clear()
        tokens = {}
        for name, engine in self._engines.items():
            engine.reset()
            tokens[name] = np.array(list(chain(*engine.accept_calls(features))), np.int64)
        answers = {
            "kernels": {"tokens": tokens["kernels"], **self._kernels_saw.vectors},
            "twin": {"tokens": tokens["twin"], **self._twin_saw.vectors},
        }
        for key, right in recorded.items():
            self.report[key]["compared"] += right.size
            for name, answer in answers.items():
                self.report[key][f"{name}_differ"] += _differences(answer.get(key, []), right)


def _differences(answer: Any, right: np.ndarray) -> int:
    """Elements that differ; all of them where the shapes do."""
    found = np.array(answer).reshape(-1)
    if found.size != right.size:
        return max(found.size, right.size)
    return int(np.count_nonzero(found != right.reshape(-1)))


def _feature_differences(speech: Speech, wav: Path, recorded: np.ndarray) -> dict[str, int]:
    made = np.concatenate([features for _, features in speech.features(wav)])
    return {"elements": recorded.size, "differ": _differences(made, recorded)}


def _entry(
    name: str, heard: Heard, tflm: str, features: dict[str, int], image: Image, speech: Speech
) -> dict[str, Any]:
    return {
        "utterance": name,
        "text": heard.text,
        "tflm_text": tflm,
        "equal": heard.text == tflm,
        "audio_ms": 1e3 * heard.samples / speech.rate,
        "calls": heard.calls,
        "features": features,
        "chip": chip_report([heard], image.params, speech.rate),
    }


def _report(
    image: Image,
    speech: Speech,
    heard: list[Heard],
    entries: list[dict[str, Any]],
    proof: dict[str, dict[str, int]],
) -> dict[str, Any]:
    params = image.params
    differ = sum(p["kernels_differ"] + p["twin_differ"] for p in proof.values())
    seconds = sum(h.samples for h in heard) / speech.rate
    simulation = sum(h.simulation_seconds for h in heard)
    return {
        "model": image.header.model,
        "chip": {
            "name": params.name,
            "lanes": params.lanes,
            "clock_mhz": params.clock_mhz,
            **chip_report(heard, params, speech.rate),
        },
        "equal": differ == 0 and all(e["equal"] for e in entries),
        "proof": proof,
        "texts_equal": sum(e["equal"] for e in entries),
        "features": {
            key: sum(e["features"][key] for e in entries) for key in ("elements", "differ")
        },
        "audio_seconds": seconds,
        "deadline_ms": 1e3 * speech.seconds_per_call,
        "simulation_seconds": simulation,
        "simulation_real_time_factor": simulation / seconds,
        "weights": totals(image.header.layers),
        "utterances": entries,
    }


def _show(report: dict[str, Any], json_path: str | None) -> None:
    out, chip, weights = console(json_path), report["chip"], report["weights"]
    rows = [
        (
            e["utterance"],
            e["text"] + ("" if e["equal"] else f"  [TFLM: {e['tflm_text']}]"),
            f"{e['audio_ms']:,.0f}",
            *(f"{e['chip'][f'{k}_ms']:.3f}" for k in ("mean", "max")),
            *(f"{e['chip'][f'{k}_cycles']:,.0f}" for k in ("mean", "max")),
            e["features"]["differ"],
        )
        for e in report["utterances"]
    ]
    columns = (
        *("utterance", "text", "audio ms", "ms/call", "max", "cycles/call", "max"),
        "features off",
    )
    title = f"{report['model']} on {chip['name']}: {chip['lanes']} lanes, {chip['clock_mhz']:g} MHz"
    out.print(table(columns, rows, title=title, left=["text"]))
    for engine in ("kernels", "twin"):
        compared = ", ".join(
            f"{p['compared']:,} {label} ({p[f'{engine}_differ']:,} differ)"
            for label, p in zip(
                ("encoder outputs", "logits", "tokens"), report["proof"].values(), strict=True
            )
        )
        out.print(f"{engine + ' = TFLM':<16} {compared}")
    count, features = len(report["utterances"]), report["features"]
    energy = chip["energy_uj"]
    lines = {
        "text = TFLM": f"{report['texts_equal']} of {count} utterances, from the WAV files; "
        f"{features['differ']:,} of {features['elements']:,} features differ by a rounding",
        "latency": f"{chip['mean_ms']:.3f} ms per encoder call, at most {chip['max_ms']:.3f} ms; "
        f"one is due every {report['deadline_ms']:g} ms: busy {chip['real_time_factor']:.2%} of "
        "the time",
        "utilisation": f"{chip['product_utilisation']:.1%} of the lanes' cycles in products "
        f"multiply by a nonzero weight, {chip['run_utilisation']:.1%} of the whole run",
        "weights": f"{weights['weights']:,}, {weights['sparsity']:.1%} zeros, "
        f"{weights['bits_per_weight']:.3f} bits each with everything counted "
        f"(entropy {weights['entropy_bits_per_weight']:.3f})",
        "energy": f"{chip['energy_uj_per_second']:,.0f} uJ per second of sound (an estimate), "
        f"{energy['leakage'] / report['audio_seconds']:,.0f} of it leakage",
        "simulation": f"{report['audio_seconds']:.1f} s of sound in "
        f"{report['simulation_seconds']:.1f} s (real-time factor "
        f"{report['simulation_real_time_factor']:.3f}), with proof and compilation "
        f"{report['total_seconds']:.1f} s, at most {report['peak_memory_mib']:.0f} MiB",
    }
    for name, text in lines.items():
        out.print(f"{name:<16} {text}")
