"""A small streaming Conformer, its decoder and joiner, as icefall exports them for sherpa-onnx."""

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

BINS, HOP, PAD = 24, 16, 3
"""Mel bins; feature frames from one call to the next, and those that calls have in common."""

FRAMES = HOP // 4
"""That a call gives."""

TAKEN = HOP + PAD
LEFT, WIDTH, HEADS, TAPS, LAYERS = 8, 32, 2, 5, 2
SYMBOLS, CONTEXT = 12, 2


class Subsampling(nn.Module):
    """Two convolutions with a stride of 2: of 4 n + 3 frames, n."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(BINS, WIDTH, 3, stride=2)
        self.second = nn.Conv1d(WIDTH, WIDTH, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(x.transpose(1, 2)))
        return torch.relu(self.second(x)).transpose(1, 2)


class Block(nn.Module):
    """Attention over cached and new frames, a causal convolution, a feed-forward part."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH) for _ in range(3)])
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.widen = nn.Linear(WIDTH, 2 * WIDTH)
        self.depth = nn.Conv1d(WIDTH, WIDTH, TAPS, groups=WIDTH)
        self.narrow = nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(
        self, x: torch.Tensor, attn: torch.Tensor, conv: torch.Tensor, hidden: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """x (frames, WIDTH); attn (LEFT, WIDTH) and conv (TAPS - 1, WIDTH) of the calls before."""
        heard = torch.cat([attn, self.norms[0](x)])
        new = heard[LEFT:]

        def split(y: torch.Tensor) -> torch.Tensor:
            return y.reshape(-1, HEADS, WIDTH // HEADS).transpose(0, 1)

        q, k, v = split(self.query(new)), split(self.key(heard)), split(self.value(heard))
        scores = q @ k.transpose(1, 2) / (WIDTH // HEADS) ** 0.5
        scores = scores.masked_fill(hidden, float("-inf"))
        seen = (scores.softmax(-1) @ v).transpose(0, 1).reshape(-1, WIDTH)
        x = x + self.out(seen)
        wide, gate = self.widen(self.norms[1](x)).chunk(2, dim=-1)
        taken = torch.cat([conv, wide * torch.sigmoid(gate)])
        y = self.depth(taken.t().unsqueeze(0))[0].t()
        x = x + self.narrow(y * torch.sigmoid(y))
        x = x + self.down(torch.relu(self.up(self.norms[2](x))))
        return x, heard[-LEFT:], taken[1 - TAPS :]


class Encoder(nn.Module):
    """`processed` counts: frames of features where a caller does (`counts` False), as sherpa-onnx
    for Conformers; else frames of the encoder, with what follows, as in Zipformers.
    """

    def __init__(self, counts: bool) -> None:
        super().__init__()
        self.counts = counts
        self.subsampling = Subsampling()
        self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
        self.last, self.project = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, WIDTH)

    def forward(
        self, x: torch.Tensor, attn: torch.Tensor, conv: torch.Tensor, processed: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        y = self.subsampling(x)[0]
        empty = (processed.view(1, 1) <= torch.arange(LEFT).view(1, LEFT)).flip(1)
        hidden = torch.cat([empty, torch.zeros(1, y.shape[0], dtype=torch.bool)], 1).unsqueeze(0)
        attns, convs = [], []
        for number, block in enumerate(self.blocks):
            y, own_attn, own_conv = block(y, attn[number, :, 0], conv[number, :, 0], hidden)
            attns.append(own_attn.unsqueeze(1))
            convs.append(own_conv.unsqueeze(1))
        made = self.project(self.last(y)).unsqueeze(0), torch.stack(attns), torch.stack(convs)
        return (*made, processed + FRAMES) if self.counts else made


class Decoder(nn.Module):
    """Stateless, of the last two symbols."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.mix = nn.Embedding(SYMBOLS, WIDTH), nn.Linear(CONTEXT * WIDTH, WIDTH)

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.mix(self.table(y).reshape(1, CONTEXT * WIDTH)))


class Joiner(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(WIDTH, SYMBOLS)

    def forward(self, encoded: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
        return self.out(torch.tanh(encoded + decoded))


def export(folder: Path, seed: int, counts: bool) -> None:
    """Write encoder, decoder, joiner and tokens.txt, with the metadata that sherpa-onnx reads."""
    torch.manual_seed(seed)
    encoder, decoder, joiner = Encoder(counts).eval(), Decoder().eval(), Joiner().eval()
    with torch.no_grad():
        # So that symbols come, and not one alone.
        joiner.out.weight *= 6
        decoder.mix.weight *= 2
        joiner.out.bias[0] += 1.5
    attn, conv = torch.zeros(LAYERS, LEFT, 1, WIDTH), torch.zeros(LAYERS, TAPS - 1, 1, WIDTH)
    given = torch.zeros(1, TAKEN, BINS), attn, conv, torch.zeros(1, dtype=torch.int64)
    names = ["x", "cached_attn", "cached_conv", "processed_lens"]
    made = ["encoder_out", "new_cached_attn", "new_cached_conv", "new_processed_lens"]
    made = made if counts else made[:3]
    write_onnx(folder / "encoder.onnx", encoder, given, names, made, _said(counts))
    symbols = torch.zeros(1, CONTEXT, dtype=torch.int64)
    context = {"context_size": CONTEXT, "vocab_size": SYMBOLS}
    write_onnx(folder / "decoder.onnx", decoder, (symbols,), ["y"], ["decoder_out"], context)
    ends = torch.zeros(1, WIDTH), torch.zeros(1, WIDTH)
    ins = ["encoder_out", "decoder_out"]
    write_onnx(folder / "joiner.onnx", joiner, ends, ins, ["logit"], {"joiner_dim": WIDTH})
    written = ["<blk>", *(("▁" if n % 3 == 0 else "") + chr(97 + n) for n in range(SYMBOLS - 1))]
    lines = [f"{symbol} {n}\n" for n, symbol in enumerate(written)]
    (folder / "tokens.txt").write_text("".join(lines), encoding="utf-8")


def _said(counts: bool) -> dict[str, object]:
    return {
        "model_type": "zipformer_like" if counts else "conformer",
        "version": 1,
        "model_author": "k2-fsa",
        "T": TAKEN,
        "decode_chunk_len": HOP,
        "pad_length": PAD,
        "num_encoder_layers": LAYERS,
        "encoder_dim": WIDTH,
        "left_context": LEFT,
        "cnn_module_kernel": TAPS,
    }


def write_onnx(
    path: Path,
    module: nn.Module,
    given: tuple[torch.Tensor, ...],
    names: list[str],
    made: list[str],
    said: dict[str, object],
) -> None:
    """A module as a file, by the exporter that icefall's recipes call; `said` is its metadata."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            given,
            str(path),
            input_names=names,
            output_names=made,
            opset_version=13,
            dynamo=False,
        )
    model = onnx.load(path)
    for key, value in said.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, str(value)
    onnx.save(model, path)


def frames_of_sound(seed: int, calls: int) -> np.ndarray:
    """Features that vary as sound does, (calls, 1, TAKEN, BINS); calls overlap by PAD frames."""
    rng = np.random.default_rng(seed)
    steps = rng.standard_normal((calls * HOP + PAD, BINS))
    frames = np.array(steps)
    for at in range(1, len(frames)):
        frames[at] = 0.8 * frames[at - 1] + 0.6 * steps[at]
    return np.array(
        [frames[call * HOP : call * HOP + TAKEN][np.newaxis] for call in range(calls)], np.float32
    )
