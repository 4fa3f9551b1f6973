"""Word errors of a transducer on a set of utterances, with intervals; two models compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from npu.analysis.evaluation import Scored, evaluate_report, score
from npu.analysis.hearing import UTTERANCES_PER_PROCESS, hear_set
from npu.analysis.trn import trn
from npu.cli._decoding import Decoding, decoding_options
from npu.cli._ears import jobs_for, opener, place_of_set
from npu.cli._evaluate_show import show
from npu.cli._lattices import labels_option, with_lattice
from npu.cli._models import files_of, first_run_notice, is_image
from npu.cli._options import Seconds, chip_option, complete_model, json_option, model_argument
from npu.cli._output import console, emit_json, progress, require_place, say
from npu.errors import InputError
from npu.files import require_place_of_folder, write_folder
from npu.speech.spoken_sets import Utterance, read_set, set_file
from npu.speech.whole import TAIL_SECONDS

SHOWN_ERRORS = 5
REF, HYP, BESIDE = "ref.trn", "hyp.trn", "hyp_beside.trn"


@click.command()
@model_argument
@click.argument("set_", metavar="SET")
@click.option(
    "--beside",
    metavar="MODEL",
    shell_complete=complete_model,
    help="A second model on the same utterances, and which one errs less.",
)
@click.option(
    "--beside-greedy", is_flag=True, help="A beam beside the same model, decoded greedily."
)
@click.option(
    "--engine",
    type=click.Choice(["kernels", "twin"]),
    default="kernels",
    show_default=True,
    help="Both give the same bits; twin executes the compiled program, in twice the time.",
)
@chip_option
@decoding_options
@click.option(
    "--lattice", is_flag=True, help="Of a beam: how few errors the best text of each lattice has."
)
@labels_option
@click.option(
    "--tail",
    "tail_seconds",
    type=Seconds(0, 60),
    metavar="SECONDS",
    default=TAIL_SECONDS,
    show_default=True,
    help="Silence behind each utterance, in which its last symbols come.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="Processes; by default one a core, and none for less than "
    f"{UTTERANCES_PER_PROCESS} utterances. The figures do not depend on it.",
)
@click.option(
    "--errors",
    "shown_errors",
    type=click.IntRange(0, 1_000_000),
    metavar="N",
    default=SHOWN_ERRORS,
    show_default=True,
    help="Show the N utterances with the most errors, word by word.",
)
@click.option(
    "--trn",
    "folder",
    metavar="FOLDER",
    help=f"Write texts and answers for NIST's sclite: {REF}, {HYP}, {BESIDE} of --beside.",
)
@json_option
def command(
    model: str,
    set_: str,
    beside: str | None,
    beside_greedy: bool,
    engine: str,
    decoding: Decoding,
    lattice: bool,
    lattice_labels: int | None,
    chip: str | None,
    tail_seconds: float,
    jobs: int | None,
    shown_errors: int,
    folder: str | None,
    json_path: str | None,
) -> int:
    """Count the word errors of a transducer MODEL on SET.

    SET is a folder with a set.jsonl, that file, or a model of the zoo, which stands for the
    utterances that it comes with. Every utterance is heard as a whole.
    """
    decoding = with_lattice(decoding, lattice, lattice_labels)
    place = place_of_set(set_)
    utterances = read_set(place)
    file = set_file(place)
    _require_single_phrases(utterances, file, f"npu endpoints {model} {set_}")
    _require_places(
        json_path,
        folder,
        [
            *files_of(model, beside, chip, decoding.hotwords_file),
            file,
            *(u.path for u in utterances),
        ],
    )
    openers = {model: opener(model, engine, chip, decoding)}
    if beside == model:
        raise InputError(
            f"--beside {beside}: is the model itself; name another one, or see how a beam compares "
            "to greedy decoding: --beside-greedy"
        )
    if beside is not None and beside_greedy:
        raise InputError("--beside and --beside-greedy: give one of them")
    if beside_greedy and decoding.beam is None:
        raise InputError("--beside-greedy: is greedy already; add --decoding-method beam")
    if beside_greedy and is_image(model):
        raise InputError(
            f"{model}: an image is compiled for a beam or for greedy decoding; give the model "
            "itself for --beside-greedy"
        )
    if beside is not None:
        openers[beside] = opener(beside, engine, chip, decoding)
    elif beside_greedy:
        openers[f"{model}, greedily"] = opener(model, engine, chip)
    jobs = jobs or jobs_for(utterances)
    scored: dict[str, list[Scored]] = {}
    with (
        first_run_notice(),
        progress("listening", total=len(utterances) * len(openers)) as advance,
    ):
        for name, make in openers.items():
            heard = hear_set(
                utterances,
                make,
                where=file,
                tail_seconds=tail_seconds,
                jobs=jobs,
                advance=advance,
            )
            scored[name] = score(utterances, heard)
    report = evaluate_report(set_, scored, engine, tail_seconds)
    report["decoding"] = decoding.report()
    for note in report["notes"]:
        say(f"note: {note}")
    if folder is not None:
        write_folder(folder, _texts(list(scored.values())))
    emit_json(report, json_path)
    show(report, shown_errors, console(json_path))
    return 0


def _require_single_phrases(utterances: Sequence[Utterance], file: Path, instead: str) -> None:
    """Raises InputError for a session: its phrases must be found before they can be heard."""
    for each in utterances:
        if len(each.phrases) > 1:
            raise InputError(
                f"{file}: line {each.line}: has {len(each.phrases)} phrases, and an utterance is "
                f"heard as one here; sessions are for {instead}"
            )


def _require_places(json_path: str | None, folder: str | None, inputs: Sequence[Path]) -> None:
    written = [json_path]
    if folder is not None:
        target = require_place_of_folder(folder)
        if target.is_dir():
            written += [str(target / name) for name in (REF, HYP, BESIDE)]
    require_place(*written, inputs=inputs)


def _texts(models: Sequence[Sequence[Scored]]) -> dict[str, bytes]:
    """Of the utterances with words: sclite would count what was heard elsewhere as errors, too."""
    spoken = [[each for each in scored if each.utterance.words] for scored in models]
    utterances: list[Utterance] = [each.utterance for each in spoken[0]]
    files = {REF: trn(utterances, [each.words for each in utterances])}
    for name, scored in zip((HYP, BESIDE), spoken, strict=False):
        files[name] = trn(utterances, [each.hearing.words for each in scored])
    return files
