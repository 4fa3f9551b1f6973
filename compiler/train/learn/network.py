"""The transducer: a streaming encoder of LSTM layers, a predictor, a joiner."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from compiler.train.learn.grids import Sparse, rounded
from compiler.train.recipe import Network
from compiler.train.symbols import END, SPACE
from npu.speech.features import CLIP

HIDDEN_SCALE = 1 / 128
"""Of a layer's outputs and of tanh, as int8."""
FEATURE_SCALE = CLIP / 127


class Range(nn.Module):
    """The range of a tensor that is int8 on the chip: the extremes seen, until it is fixed.

    Attributes
    ----------
    low, high : the extremes.
    fixed : whether values are on the grid of 256 values between them, in training too.
    """

    low: Tensor
    high: Tensor
    fixed: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.zeros(()))
        self.register_buffer("high", torch.zeros(()))
        self.register_buffer("fixed", torch.zeros((), dtype=torch.bool))
        self.watches = False

    def forward(self, values: Tensor) -> Tensor:
        """The values, on the grid if it is fixed."""
        if self.watches and self.training:
            self.low.copy_(torch.minimum(self.low, values.detach().min()))
            self.high.copy_(torch.maximum(self.high, values.detach().max()))
        if not self.fixed:
            return values
        scale, zero = self.quantisation()
        return rounded(values, scale, zero=zero)

    def quantisation(self) -> tuple[Tensor, Tensor]:
        """Scale and zero point."""
        scale = (self.high - self.low).clamp_min(1e-6) / 255
        return scale, torch.round(-128 - self.low / scale)


class Layer(nn.Module):
    """An LSTM layer whose weights are those of the chip; gates in the order i, f, g, o.

    Attributes
    ----------
    coarse : in training it works in bfloat16.
    """

    fixed: Tensor
    coarse = False

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        bound = units**-0.5
        self.input, self.recurrent = Sparse(4, units, inputs, bound), Sparse(4, units, units, bound)
        self.bias = nn.Parameter(torch.zeros(4 * units))
        with torch.no_grad():
            self.bias[units : 2 * units] = 1  # remember first
        self.units = units
        self.register_buffer("fixed", torch.zeros((), dtype=torch.bool))

    def forward(self, values: Tensor) -> Tensor:
        """(clips, steps, inputs) to (clips, steps, units), from states of zero."""
        return self.step(values, self.begin(values))[0]

    def begin(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """States of zero for (clips, steps, inputs)."""
        state = values.new_zeros(1, len(values), self.units)
        return state, state

    def step(
        self, values: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """As `forward`, from given states (1, clips, units); returns those behind it, too."""
        weights = [self.input(), self.recurrent(), self.bias, torch.zeros_like(self.bias)]
        if self.coarse and self.training:
            weights = [each.bfloat16() for each in weights]
            values, state = values.bfloat16(), (state[0].bfloat16(), state[1].bfloat16())
        out, hidden, cell = torch._VF.lstm(
            values, state, weights, True, 1, 0.0, self.training, False, True
        )
        out = out.float()
        return (rounded(out, HIDDEN_SCALE) if self.fixed else out), (hidden, cell)


class Dense(nn.Module):
    """A matrix, with a bias."""

    def __init__(self, inputs: int, outputs: int, bias: bool = True) -> None:
        super().__init__()
        self.matrix = Sparse(1, outputs, inputs, inputs**-0.5)
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None

    def forward(self, values: Tensor) -> Tensor:
        return functional.linear(values, self.matrix(), self.bias)


class Transducer(nn.Module):
    """All of it.

    Parameters
    ----------
    network : of the recipe.
    features, symbols : what comes in at each step, and the alphabet.
    """

    fixed: Tensor

    def __init__(self, network: Network, features: int, symbols: int) -> None:
        super().__init__()
        self.network = network
        self.lstms: list[Layer] = []
        inputs, layers = features, self.lstms
        for n, units in enumerate(network.layers):
            layers.append(Layer(inputs * (2 if n == network.stack_before else 1), units))
            inputs = units
        self.layers = nn.ModuleList(layers)
        self.projection = Dense(inputs, network.joint)
        self.embedding = nn.Parameter(torch.randn(symbols, network.embedding) * 0.3)
        if network.predictor == "lstm":
            self.predictor: Layer | Dense = Layer(network.embedding, network.units)
            self.predicted = Dense(network.units, network.joint, bias=False)
        else:
            self.predictor = Dense(2 * network.embedding, network.units)
            self.predicted = Dense(network.units, network.joint, bias=False)
        self.joiner = Dense(network.joint, symbols)
        self.helper = nn.Linear(network.layers[network.stack_before - 1], symbols)
        names = ("encoder_out", "embedded", "context", "decoder_out", "joined", "logits")
        self.ranges = {name: Range() for name in names}
        self.all_ranges = nn.ModuleDict(self.ranges)  # for its state
        self.register_buffer("fixed", torch.zeros((), dtype=torch.bool))

    def encode(self, steps: Tensor) -> tuple[Tensor, Tensor]:
        """(clips, steps, features) to encoder outputs (clips, steps / 2, joint), and what the
        layer before the stack says, (clips, steps, units).
        """
        values = rounded(steps, FEATURE_SCALE, -127, 127) if self.fixed else steps
        below = values
        for n, layer in enumerate(self.lstms):
            if n == self.network.stack_before:
                below = values
                values = values.reshape(len(values), values.shape[1] // 2, -1)
            values = self._dropped(layer(values))
        return self.ranges["encoder_out"](self.projection(values)), below

    def predict(self, symbols: Tensor) -> Tensor:
        """(clips, n) symbols, the first of them the blank, to (clips, n, joint)."""
        if self.training and self.network.mistaken:
            told = torch.rand(symbols.shape, device=symbols.device) < self.network.mistaken
            symbols = symbols.masked_fill(told & (symbols == SPACE), END)
        values = self.ranges["embedded"](self.embedding)[symbols]
        if self.training and self.network.forget:
            # Or it learns sentences by heart, and the encoder is not asked.
            kept = torch.rand(symbols.shape, device=symbols.device) >= self.network.forget
            values = values * kept[..., None]
        if self.network.predictor == "stateless":
            before = functional.pad(values, (0, 0, 1, 0))[:, :-1]
            values = self.of_context(torch.cat([before, values], -1))
        else:
            values = self.predictor(values)
        return self.ranges["decoder_out"](self.predicted(self._dropped(values)))

    def of_context(self, values: Tensor) -> Tensor:
        """What a stateless predictor makes of two embeddings, (..., 2 * embedding)."""
        return self.ranges["context"](functional.relu(self.predictor(values)))

    def join(self, encoded: Tensor, predicted: Tensor) -> Tensor:
        """Encoder and predictor outputs that fit each other's shape, (..., joint), to logits."""
        joined = torch.tanh(self.ranges["joined"](encoded + predicted))
        if self.fixed:
            joined = rounded(joined, HIDDEN_SCALE)
        return self.ranges["logits"](self.joiner(joined))

    def matrices(self) -> dict[str, Sparse]:
        """Every weight tensor that is pruned, by name."""
        return {name: each for name, each in self.named_modules() if isinstance(each, Sparse)}

    def fix(self, bits: int) -> None:
        """From now on the arithmetic is the chip's."""
        for matrix in self.matrices().values():
            matrix.fix(bits)
        self._set_fixed(True)

    def loosen(self) -> None:
        """Back to floats: no value is on a grid any more."""
        for matrix in self.matrices().values():
            matrix.grid = matrix.grid[:, :0]
        self._set_fixed(False)

    def _set_fixed(self, fixed: bool) -> None:
        for each in self.modules():
            if isinstance(each, Layer | Range | Transducer):
                each.fixed.fill_(fixed)

    def work_in(self, precision: str) -> None:
        """What the LSTM layers work in, in training: "float32" or "bfloat16", which has all values
        of a layer's int8 outputs, and weights with 8 bits behind the sign.
        """
        for each in self.modules():
            if isinstance(each, Layer):
                each.coarse = precision == "bfloat16"

    def watch(self, watches: bool) -> None:
        """Whether the ranges follow what they see."""
        for each in self.ranges.values():
            each.watches = watches

    def _dropped(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.network.dropout, self.training)
