"""Record what TensorFlow Lite Micro hears in the utterances of a model of the zoo.

    python -m tests.recorded_utterances npu/zoo/NAME

The folder `utterances` has the sounds and `set.jsonl` with their texts and speakers; beside each
sound an `.npz` is written, and `transcripts.json`. The search is written out here once more, plain:
what is compared with it shares nothing but the features, which the recording holds.
"""

import json
import sys
from pathlib import Path

import numpy as np

from compiler import load_model
from compiler.reference import speech_of
from npu.speech.search import SearchRules
from npu.speech.spoken_sets import read_set

ROLES = ("encoder", "decoder", "joiner")


def heard(folder: Path, features: np.ndarray, blank: int, most: int) -> dict[str, np.ndarray]:
    """Greedy search by TFLM: `encoder_out`, `logits` of every joiner call, `tokens`."""
    from tflite_micro.python.tflite_micro import runtime

    def opened(role: str) -> "runtime.Interpreter":
        data = (folder / f"{role}.tflite").read_bytes()
        return runtime.Interpreter.from_bytes(data, arena_size=1 << 21)

    encoder, decoder, joiner = (opened(role) for role in ROLES)

    def answer(graph: "runtime.Interpreter", *inputs: np.ndarray) -> np.ndarray:
        for number, values in enumerate(inputs):
            graph.set_input(values, number)
        graph.invoke()
        found: np.ndarray = graph.get_output(0)
        return found.copy()

    def predicted(symbol: int) -> np.ndarray:
        return answer(decoder, np.array([[symbol]], np.int32))

    told, encoded, logits, tokens = predicted(blank), [], [], []
    for call in features:
        out = answer(encoder, call[None])
        encoded.append(out.ravel())
        for _ in range(most):
            scores = answer(joiner, out, told).ravel()
            logits.append(scores)
            symbol = int(scores.argmax())
            if symbol == blank:
                break
            tokens.append(symbol)
            told = predicted(symbol)
    return {
        "features": features,
        "encoder_out": np.array(encoded),
        "logits": np.array(logits),
        "tokens": np.array(tokens, np.int32),
    }


def record(folder: Path) -> dict[str, dict[str, str]]:
    """Write the recordings of a model's utterances; returns their transcripts."""
    model = load_model(folder)
    assert model.config is not None and model.tokens is not None, "a transducer"
    speech, rules = speech_of(model), SearchRules.of(model.config)
    transcripts = {}
    for utterance in read_set(folder / "utterances"):
        features = np.concatenate([found for _, found in speech.features(utterance.path)])
        found = heard(folder, features, rules.blank, rules.max_symbols_per_frame)
        np.savez_compressed(utterance.path.with_suffix(".npz"), **found)
        transcripts[utterance.path.stem] = {
            "text": " ".join(utterance.words),
            "voice": utterance.speaker or "",
            "tflm": model.tokens.decode(found["tokens"].tolist()).strip(),
        }
    text = json.dumps(transcripts, indent=1) + "\n"
    (folder / "utterances" / "transcripts.json").write_text(text, encoding="utf-8")
    return transcripts


if __name__ == "__main__":
    for name, told in record(Path(sys.argv[1])).items():
        sys.stdout.write(f"{name}: {told['text']} -> {told['tflm']}\n")
