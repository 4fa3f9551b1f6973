"""Transcribe the bundled utterances and compare every number with TensorFlow Lite Micro's."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click
import numpy as np

from compiler import Model, load_model
from compiler.reference import search_of
from npu import zoo
from npu.analysis.energy import largest
from npu.analysis.memory import peak_memory_mib
from npu.analysis.proof import COMPARED, Proof, Utterance, Watched, demo_report, differences
from npu.analysis.results import DemoReport, Features
from npu.analysis.streaming import OnTwin
from npu.chip.summary import summary_text
from npu.cli._models import compile_for, files_of, first_run_notice, load_chip
from npu.cli._options import chip_option, json_option
from npu.cli._output import console, emit_json, progress, require_place, table
from npu.model.recording import Recording
from npu.runtime.frontend import speech_of
from npu.runtime.image import Image
from npu.speech.host import Speech
from npu.speech.transcribe import transcribe

MODEL = zoo.DEFAULT
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
        proof = _proof(model, image)
        speech, twin = speech_of(image), OnTwin(image)
        heard = []
        with progress("transcribing", total=len(names)) as advance:
            for name in names:
                with np.load(folder / f"{name}.npz") as recorded:
                    proof.add({key: recorded[key] for key in COMPARED}, recorded["features"])
                    off = _feature_differences(speech, folder / f"{name}.wav", recorded["features"])
                # As it was recorded: one phrase, and every call run.
                answer = transcribe(speech, twin, folder / f"{name}.wav", ending=None)
                text = expected_texts[name]["tflm"].strip()
                heard.append(Utterance(name, answer, twin.use(), text, off))
                advance(1)
    report = demo_report(image, speech, heard, proof)
    report["compile_seconds"] = compile_seconds
    report["total_seconds"] = time.perf_counter() - began
    report["peak_memory_mib"] = peak_memory_mib()
    emit_json(report, json_path)
    _show(report, json_path)
    return 0 if report["equal"] else DIFFERENT


def _proof(model: Model, image: Image) -> Proof:
    """Kernels and twin, both watched."""
    kernels_saw, twin_saw = Recording(), Recording()
    return Proof(
        kernels=Watched(search_of(model, kernels_saw), kernels_saw),
        twin=Watched(OnTwin(image, twin_saw), twin_saw),
    )


def _feature_differences(speech: Speech, wav: Path, recorded: np.ndarray) -> Features:
    made = np.concatenate([features for _, features in speech.features(wav)])
    return {"elements": recorded.size, "differ": differences(made, recorded)}


def _show(report: DemoReport, json_path: str | None) -> None:
    out = console(json_path)
    rows = [
        (
            e["utterance"],
            e["text"] + ("" if e["equal"] else f"  [TFLM: {e['tflm_text']}]"),
            f"{e['audio_ms']:,.0f}",
            f"{e['chip']['mean_ms']:.3f}",
            f"{e['chip']['max_ms']:.3f}",
            f"{e['chip']['mean_cycles']:,.0f}",
            f"{e['chip']['max_cycles']:,.0f}",
            e["features"]["differ"],
        )
        for e in report["utterances"]
    ]
    columns = (
        "utterance",
        "text",
        "audio ms",
        "ms/call",
        "max",
        "cycles/call",
        "max",
        "features off",
    )
    title = f"{report['model']} on {summary_text(report['chip'])}"
    out.print(table(columns, rows, title=title, left=["text"]))
    for name, text in {**_proof_lines(report), **_figure_lines(report)}.items():
        out.print(f"{name:<16} {text}")


def _proof_lines(report: DemoReport) -> dict[str, str]:
    labels = dict(zip(COMPARED, ("encoder outputs", "logits", "tokens"), strict=True))
    kernels, twin = [], []
    for key, label in labels.items():
        found = report["proof"][key]
        text = f"{found['compared']:,} {label}"
        kernels.append(f"{text} ({found['kernels_differ']:,} differ)")
        twin.append(f"{text} ({found['twin_differ']:,} differ)")
    return {"kernels = TFLM": ", ".join(kernels), "twin = TFLM": ", ".join(twin)}


def _figure_lines(report: DemoReport) -> dict[str, str]:
    chip, weights, features = report["chip"], report["weights"], report["features"]
    energy = chip["energy_uj"]
    most = ", ".join(
        f"{cause} {value / energy['total']:.0%}" for cause, value in largest(energy, 4)
    )
    return {
        "text = TFLM": f"{report['texts_equal']} of {len(report['utterances'])} utterances, from "
        f"the WAV files; {features['differ']:,} of {features['elements']:,} features differ by a "
        "rounding",
        "latency": f"{chip['mean_ms']:.3f} ms per encoder call, at most {chip['max_ms']:.3f} ms; "
        f"one is due every {report['deadline_ms']:g} ms: busy {chip['real_time_factor']:.2%} of "
        "the time",
        "utilisation": f"{chip['product_utilisation']:.1%} of the lanes' cycles in products "
        f"multiply by a nonzero weight, {chip['run_utilisation']:.1%} of the whole run",
        "weights": f"{weights['weights']:,}, {weights['sparsity']:.1%} zeros, "
        f"{weights['bits_per_weight']:.3f} bits each with everything counted "
        f"(entropy {weights['entropy_bits_per_weight']:.3f})",
        "energy": f"{chip['energy_uj_per_second']:,.0f} uJ per second of sound (an estimate): "
        f"{most}; {chip['idle_state'].replace('_', ' ')} between calls",
        "simulation": f"{report['audio_seconds']:.1f} s of sound in "
        f"{report['simulation_seconds']:.1f} s (real-time factor "
        f"{report['simulation_real_time_factor']:.3f}), with proof and compilation "
        f"{report['total_seconds']:.1f} s, at most {report['peak_memory_mib']:.0f} MiB",
    }
