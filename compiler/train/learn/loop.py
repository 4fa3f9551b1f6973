"""The loop that learns: from where it was left, the same as if it had not stopped."""

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from compiler.train.learn import schedule
from compiler.train.learn.check import Check
from compiler.train.learn.loss import arcs, reachable, restricted_loss
from compiler.train.learn.muon import fast_precision
from compiler.train.learn.network import Transducer
from compiler.train.learn.optimise import Optimiser
from compiler.train.recipe import Recipe
from compiler.train.sound.ahead import made_ahead
from compiler.train.sound.batches import Batch, Listener
from compiler.train.sound.features import MEL, STACK
from compiler.train.sound.kept import KeptBatches
from compiler.train.symbols import BLANK, SYMBOLS
from npu.files import write_atomic

_AVERAGE_BEGINS = 0.9
"""Of all steps: the checkpoints that are averaged lie behind it."""


@dataclass(frozen=True)
class Progress:
    """What the loop tells.

    Attributes
    ----------
    step, steps : done, and of how many.
    loss : of the transducer, per symbol, averaged over the steps since it last told.
    zeros : share of the weights.
    word_errors : over words, when they were last counted; None before.
    left_s : seconds to the end, at the pace of now.
    """

    step: int
    steps: int
    loss: float
    zeros: float
    word_errors: float | None
    left_s: float


Tell = Callable[[Progress], object]


class Learner:
    """A network with all that its learning needs.

    Parameters
    ----------
    recipe : how it learns.
    device : "cpu" or "cuda".
    """

    def __init__(self, recipe: Recipe, device: str) -> None:
        torch.manual_seed(recipe.seed)
        self.recipe, self.device = recipe, torch.device(device)
        self.network = Transducer(recipe.network, STACK * MEL.bins, len(SYMBOLS)).to(self.device)
        self.optimiser = Optimiser(self.network, recipe.learning)
        for matrix in self.network.matrices().values():
            matrix.free = recipe.quantisation.forward == "int8"
        # Where bfloat16 is emulated, it takes ten times as long.
        slow = fast_precision(self.device) == torch.float32
        self._precision = "float32" if slow else recipe.learning.precision
        self.step = 0
        self._average: dict[str, Tensor] = {}
        self._averaged = 0

    def learn(self, batch: Batch) -> float:
        """One step. Returns the transducer's loss per symbol."""
        recipe, network = self.recipe, self.network
        self._prepare()
        network.train()
        there = {
            name: torch.from_numpy(getattr(batch, name)).to(self.device, non_blocking=True)
            for name in ("steps", "lengths", "symbols", "counts", "first", "last")
        }
        loss, own = self._loss(there)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.learning.clip)
        rate = schedule.rate(recipe.learning, self.step)
        self.optimiser.step(rate)
        pruning = recipe.pruning
        if pruning.pull is not None and pruning.begin <= self.step <= pruning.end:
            for matrix in network.matrices().values():
                matrix.draw(pruning.pull * rate)
        self.step += 1
        self._collect()
        return own

    def _loss(self, batch: dict[str, Tensor]) -> tuple[Tensor, float]:
        network, recipe = self.network, self.recipe
        calls, counts = batch["lengths"] // 2, batch["counts"]
        encoded, below = network.encode(batch["steps"])
        predicted = network.predict(functional.pad(batch["symbols"], (1, 0)))
        cells = reachable(calls, counts, batch["first"], batch["last"], encoded.shape[1])
        clip, call, state = cells.nonzero(as_tuple=True)
        logits = network.join(encoded[clip, call], predicted[clip, state])
        if recipe.network.reluctant:
            logits[:, BLANK] += recipe.network.reluctant * (state == 0)
        blanks, emits = arcs(logits, cells, batch["symbols"], BLANK)
        own = restricted_loss(blanks, emits, calls, counts, batch["first"], batch["last"])
        total = counts.sum().clamp_min(1)
        loss = own.sum() / total
        weight = schedule.helper_weight(recipe.learning, self.step)
        if weight:
            told = network.helper(below).log_softmax(-1).transpose(0, 1)
            helper = functional.ctc_loss(
                told, batch["symbols"], batch["lengths"], counts, BLANK, "sum", True
            )
            loss = loss + weight * helper / total
        if network.fixed and recipe.quantisation.regulariser:
            away = torch.stack([each.penalty() for each in network.matrices().values()]).sum()
            loss = loss + recipe.quantisation.regulariser * away
        return loss, float(own.sum().detach() / total)

    def _prepare(self) -> None:
        """Prune, go over to the chip's arithmetic, and to full precision, when it is time."""
        recipe, network = self.recipe, self.network
        share = schedule.zeros(recipe.pruning, self.step)
        if share is not None:
            self._prune(share)
        averages = self.step >= _AVERAGE_BEGINS * recipe.learning.steps
        network.work_in("float32" if averages else self._precision)
        begin = recipe.quantisation.begin
        network.watch(begin - 200 <= self.step < begin)
        if self.step == begin:
            network.fix(recipe.quantisation.bits)
        snap = recipe.quantisation.snap
        if snap and self.step > begin and (self.step - begin) % snap == 0:
            for matrix in network.matrices().values():
                matrix.snap()

    def _prune(self, share: float) -> None:
        pruning, matrices = self.recipe.pruning, list(self.network.matrices().values())
        threshold = None
        if pruning.scope == "global":
            sizes = torch.cat([matrix.sizes().flatten() for matrix in matrices])
            threshold = sizes.kthvalue(max(1, round(share * len(sizes)))).values
        for matrix in matrices:
            if pruning.group is not None:
                matrix.prune_groups(share, pruning.group)
            else:
                matrix.prune(share, threshold)

    def _collect(self) -> None:
        """Add to the average, at its steps."""
        learning = self.recipe.learning
        begin = int(_AVERAGE_BEGINS * learning.steps)
        every = max(1, (learning.steps - begin) // learning.average)
        if self.step > begin and (self.step - begin) % every == 0:
            self._averaged += 1
            for name, value in self.network.named_parameters():
                if name not in self._average:
                    self._average[name] = torch.zeros_like(value)
                self._average[name] += (value.detach() - self._average[name]) / self._averaged

    def finish(self) -> None:
        """The network is the average from now on."""
        with torch.no_grad():
            for name, value in self.network.named_parameters():
                if name in self._average:
                    value.copy_(self._average[name])
        bits = self.recipe.quantisation.bits
        matrices = self.network.matrices().values()
        if self.network.fixed and (bits == 8 or any(matrix.free for matrix in matrices)):
            self.network.fix(bits)
        for matrix in matrices:
            matrix.free = False

    @property
    def zeros(self) -> float:
        """Share of the weights that are zero for good."""
        masks = [matrix.mask for matrix in self.network.matrices().values()]
        return 1 - sum(float(mask.sum()) for mask in masks) / sum(mask.numel() for mask in masks)

    def state(self) -> dict[str, Any]:
        """All that goes on."""
        cuda = torch.cuda.get_rng_state() if self.device.type == "cuda" else None
        return {
            "step": self.step,
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state(),
            "average": self._average,
            "averaged": self._averaged,
            "random": torch.get_rng_state(),
            "cuda": cuda,
        }

    def begin_with(self, checkpoint: Path) -> None:
        """Take the weights of a run that is done, where they fit, as the first ones; its zeros and
        grids are not taken.
        """
        state = torch.load(checkpoint, map_location=self.device, weights_only=True)
        weights = state["network"] | state["average"]
        with torch.no_grad():
            for name, value in self.network.named_parameters():
                if name in weights and weights[name].shape == value.shape:
                    value.copy_(weights[name])

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.step = state["step"]
        for name, matrix in self.network.matrices().items():
            matrix.grid = torch.zeros_like(state["network"][f"{name}.grid"], device=self.device)
        self.network.load_state_dict(state["network"])
        self.optimiser.restore(state["optimiser"])
        self._average, self._averaged = state["average"], state["averaged"]
        torch.set_rng_state(state["random"].cpu())
        if state["cuda"] is not None:
            torch.cuda.set_rng_state(state["cuda"].cpu())


def run(
    learner: Learner,
    listener: Listener | KeptBatches,
    checkpoint: Path,
    tell: Tell,
    jobs: int = 1,
    every: int = 50,
    check: Check | None = None,
) -> None:
    """Learn to the end, from the checkpoint if it is there.

    Parameters
    ----------
    learner, listener : what learns, and what hears.
    checkpoint : the file.
    tell : is called every `every` steps.
    jobs : processes that make batches.
    check : counts word errors, as often as the recipe says.
    """
    learning = learner.recipe.learning
    if checkpoint.is_file():
        learner.restore(torch.load(checkpoint, map_location=learner.device, weights_only=True))
    saved = begun = time.monotonic()
    first, losses, errors = learner.step, [], None
    with made_ahead(listener, learner.step, learning.steps, jobs) as batches:
        for batch in batches:
            losses.append(learner.learn(batch))
            now = time.monotonic()
            done = learner.step == learning.steps
            if check and learner.step % learning.check == 0:
                errors = check.word_errors(learner.network)
            if learner.step % every == 0 or done:
                pace = (now - begun) / max(1, learner.step - first)
                left = pace * (learning.steps - learner.step)
                loss = float(np.mean(losses))
                tell(Progress(learner.step, learning.steps, loss, learner.zeros, errors, left))
                losses.clear()
            if now - saved > learning.checkpoint_s or done:
                save(learner, checkpoint)
                saved = now


def save(learner: Learner, checkpoint: Path) -> None:
    """Write the checkpoint, whole or not at all."""
    buffer = io.BytesIO()
    torch.save(learner.state(), buffer)
    write_atomic(checkpoint, buffer.getvalue())
