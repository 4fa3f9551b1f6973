"""A small cache-aware Conformer, its LSTM decoder and joiner, in the form of NeMo's exports.

Features and answers lie as (1, values, frames), the blank is the last symbol, states of all layers
are in one tensor each, a count says how many cached frames are real.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from tests.streaming_encoders import write_onnx

BINS, HOP, PAD = 24, 16, 5
"""Mel bins; feature frames from one call to the next, and those that a call hears again."""

TAKEN, FRAMES = HOP + PAD, HOP // 4
LEFT, WIDTH, HEADS, TAPS, LAYERS = 8, 32, 2, 5, 2
SYMBOLS, UNITS = 12, 24
"""Symbols with the blank."""


class Subsampling(nn.Module):
    """Two convolutions over time and frequency with strides of 2: of 4 n + 3 frames, n."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 8, 3, 2), nn.Conv2d(8, 8, 3, 2)
        self.out = nn.Linear(8 * 5, WIDTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(1, frames, BINS) to (1, frames / 4, WIDTH)."""
        y = torch.relu(self.second(torch.relu(self.first(x.unsqueeze(1)))))
        return self.out(y.transpose(1, 2).flatten(2))


class Attention(nn.Module):
    """Over cached and new frames, by content and by distance."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.position = nn.Linear(WIDTH, WIDTH, bias=False)
        self.of_content = nn.Parameter(0.3 * torch.randn(HEADS, WIDTH // HEADS))
        self.of_position = nn.Parameter(0.3 * torch.randn(HEADS, WIDTH // HEADS))

    def forward(
        self, x: torch.Tensor, heard: torch.Tensor, far: torch.Tensor, hidden: torch.Tensor
    ) -> torch.Tensor:
        """x (1, new, WIDTH), heard (1, all, WIDTH), far (1, distances, WIDTH)."""

        def split(y: torch.Tensor) -> torch.Tensor:
            return y.view(1, -1, HEADS, WIDTH // HEADS)

        q = split(self.query(x))
        k, v, p = (
            split(each).transpose(1, 2)
            for each in (self.key(heard), self.value(heard), self.position(far))
        )
        content = (q + self.of_content).transpose(1, 2) @ k.transpose(-2, -1)
        position = (q + self.of_position).transpose(1, 2) @ p.transpose(-2, -1)
        # A column more, so that rows read from a new begin are one further on each.
        wide = nn.functional.pad(position, (1, 0))
        rows, columns = position.shape[-2:]
        position = wide.view(1, HEADS, columns + 1, rows)[:, :, 1:].reshape(position.shape)
        scores = (content + position[..., : k.shape[2]]) / (WIDTH // HEADS) ** 0.5
        hidden = hidden.unsqueeze(1)
        scores = scores.masked_fill(hidden, -10000.0)
        seen = torch.softmax(scores, -1).masked_fill(hidden, 0.0) @ v
        return self.out(seen.transpose(1, 2).reshape(1, -1, WIDTH))


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH) for _ in range(3)])
        self.attention, self.batch = Attention(), nn.BatchNorm1d(WIDTH)
        self.widen, self.narrow = nn.Conv1d(WIDTH, 2 * WIDTH, 1), nn.Conv1d(WIDTH, WIDTH, 1)
        self.depth = nn.Conv1d(WIDTH, WIDTH, TAPS, groups=WIDTH)
        self.up, self.down = nn.Linear(WIDTH, 2 * WIDTH), nn.Linear(2 * WIDTH, WIDTH)

    def forward(
        self,
        x: torch.Tensor,
        channel: torch.Tensor,
        time: torch.Tensor,
        far: torch.Tensor,
        hidden: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """channel (1, LEFT, WIDTH), time (1, WIDTH, TAPS - 1): of the calls before."""
        y = self.norms[0](x)
        heard = torch.cat([channel, y], 1)
        x = x + self.attention(y, heard, far, hidden)
        y = nn.functional.glu(self.widen(self.norms[1](x).transpose(1, 2)), 1)
        taken = torch.cat([time, y], 2)
        y = nn.functional.silu(self.batch(self.depth(taken)))
        x = x + self.narrow(y).transpose(1, 2)
        x = x + 0.5 * self.down(nn.functional.silu(self.up(self.norms[2](x))))
        return x, heard[:, -LEFT:], taken[:, :, 1 - TAPS :]


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.subsampling = Subsampling()
        self.layers = nn.ModuleList([Layer() for _ in range(LAYERS)])
        distances = torch.arange(LEFT + FRAMES - 1, -FRAMES, -1).unsqueeze(1)
        waves = distances * torch.exp(-np.log(10000.0) * torch.arange(0, WIDTH, 2) / WIDTH)
        far = torch.stack([waves.sin(), waves.cos()], 2).flatten(1)
        self.register_buffer("far", far.unsqueeze(0))

    def forward(
        self,
        audio_signal: torch.Tensor,
        length: torch.Tensor,
        channel: torch.Tensor,
        time: torch.Tensor,
        known: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        x = self.subsampling(audio_signal.transpose(1, 2))
        places = torch.arange(LEFT + FRAMES)
        hidden = (places.unsqueeze(0) < (LEFT - known).unsqueeze(1)).unsqueeze(1)
        hidden = hidden.expand(1, FRAMES, LEFT + FRAMES)
        channels, times = [], []
        layers_first = channel.transpose(0, 1), time.transpose(0, 1)
        for number, layer in enumerate(self.layers):
            own = (each[number] for each in layers_first)
            x, own_channel, own_time = layer(x, *own, self.far, hidden)
            channels.append(own_channel)
            times.append(own_time)
        return (
            x.transpose(1, 2),
            torch.div(length - 1, 4, rounding_mode="floor"),
            torch.stack(channels).transpose(0, 1),
            torch.stack(times).transpose(0, 1),
            torch.clamp(known + FRAMES, max=LEFT),
        )


class Decoder(nn.Module):
    """An LSTM; the blank's row of the table is 0."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(SYMBOLS, UNITS, padding_idx=SYMBOLS - 1)
        self.lstm = nn.LSTM(UNITS, UNITS)

    def forward(
        self, targets: torch.Tensor, length: torch.Tensor, h: torch.Tensor, c: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        y, (h, c) = self.lstm(self.table(targets).transpose(0, 1), (h, c))
        return y.permute(1, 2, 0), length, h, c


class Joiner(nn.Module):
    """Logarithms of probabilities, (1, frames, symbols, SYMBOLS)."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(WIDTH, UNITS), nn.Linear(UNITS, UNITS)
        self.out = nn.Linear(UNITS, SYMBOLS)

    def forward(self, encoded: torch.Tensor, decoded: torch.Tensor) -> torch.Tensor:
        left = self.encoder(encoded.transpose(1, 2)).unsqueeze(2)
        right = self.decoder(decoded.transpose(1, 2)).unsqueeze(1)
        return self.out(torch.relu(left + right)).log_softmax(-1)


def export(folder: Path, seed: int, heard: np.ndarray | None = None) -> None:
    """Write encoder, decoder, joiner and tokens.txt, with the names and metadata of NeMo's.

    heard : (1, BINS, TAKEN), features as they will come; noise unless given.
    """
    torch.manual_seed(seed)
    encoder, decoder, joiner = Encoder().eval(), Decoder().eval(), Joiner().eval()
    channel, time = torch.zeros(1, LAYERS, LEFT, WIDTH), torch.zeros(1, LAYERS, WIDTH, TAPS - 1)
    taken, none = torch.tensor([TAKEN]), torch.zeros(1, dtype=torch.int64)
    x = torch.randn(1, BINS, TAKEN) if heard is None else torch.as_tensor(heard)
    given = (x, taken, channel, time, none)
    with torch.no_grad():
        # So that symbols come, and not one alone.
        joiner.encoder.weight *= 8
        joiner.encoder.bias -= joiner.encoder(encoder(*given)[0].mean(2)[0])
        joiner.out.weight *= 4
        joiner.out.bias[-1] += 1.5
        decoder.table.weight *= 3
    caches = ("cache_last_channel", "cache_last_time", "cache_last_channel_len")
    following = ("cache_last_channel_next", "cache_last_time_next", "cache_last_channel_next_len")
    write_onnx(
        folder / "encoder.onnx",
        encoder,
        given,
        ["audio_signal", "length", *caches],
        ["outputs", "encoded_lengths", *following],
        _said(),
    )
    state = torch.zeros(1, 1, UNITS)
    given = torch.zeros(1, 1, dtype=torch.int32), torch.ones(1, dtype=torch.int32), state, state
    names = ["targets", "target_length", "states.1", "onnx::LSTM_3"]
    made = ["outputs", "prednet_lengths", "states", "lstm_74"]
    write_onnx(folder / "decoder.onnx", decoder, given, names, made, {})
    ends = torch.zeros(1, WIDTH, 1), torch.zeros(1, UNITS, 1)
    names = ["encoder_outputs", "decoder_outputs"]
    write_onnx(folder / "joiner.onnx", joiner, ends, names, ["outputs"], {})
    symbols = [("▁" if n % 3 == 0 else "") + chr(97 + n) for n in range(SYMBOLS - 1)] + ["<blk>"]
    lines = [f"{symbol} {n}\n" for n, symbol in enumerate(symbols)]
    (folder / "tokens.txt").write_text("".join(lines), encoding="utf-8")


def _said() -> dict[str, object]:
    return {
        "vocab_size": SYMBOLS - 1,
        "window_size": TAKEN,
        "chunk_shift": HOP,
        "normalize_type": "",
        "cache_last_channel_dim1": LAYERS,
        "cache_last_channel_dim2": LEFT,
        "cache_last_channel_dim3": WIDTH,
        "cache_last_time_dim1": LAYERS,
        "cache_last_time_dim2": WIDTH,
        "cache_last_time_dim3": TAPS - 1,
        "pred_rnn_layers": 1,
        "pred_hidden": UNITS,
        "subsampling_factor": 4,
        "model_type": "EncDecHybridRNNTCTCBPEModel",
        "version": 1,
        "model_author": "NeMo",
    }
