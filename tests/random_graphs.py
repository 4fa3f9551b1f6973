"""Random quantised graphs, chips and bus schedules, each from one seed.

Small, legal and odd: layers of a few rows, scales and zero points from all over their ranges,
weights from all zero to dense, chips on which hardly anything stays resident.
"""

from collections.abc import Sequence

import numpy as np

from npu.chip.memory import BusSchedule, WriteOrder
from npu.chip.params import ChipParams, load_params
from npu.model.activation import Activation
from npu.model.graph import Graph, Quantization, Tensor
from npu.model.operators.binary import Add, Maximum, Mul
from npu.model.operators.gather import Gather
from npu.model.operators.move import Reshape
from npu.model.operators.product import FullyConnected
from npu.model.operators.recurrent import Lstm
from npu.model.operators.rescale import Quantize, Relu, Relu6
from npu.model.operators.table import Abs, Elu, HardSwish, LeakyRelu, Logistic, Rsqrt, Tanh

MAX_WIDTH, MAX_ROWS = 40, 130


def random_chip(rng: np.random.Generator, room: int = 0) -> ChipParams:
    """A chip with banks so small that most weights are streamed; `room` doubles its memories."""
    bus = int(rng.choice([8, 16, 32]))
    lanes = int(rng.integers(1, 9))
    return ChipParams(
        name="random",
        lanes=lanes,
        threads=int(rng.integers(2, 5)),
        bank_bytes=int(rng.choice([256, 512, 1024])) << room,
        param_bytes=int(rng.choice([1024, 2048, 4096])) << room,
        sram_bytes=4096 << room,
        program_bytes=65536,
        activation_entries=1024,
        result_fifo=int(rng.integers(8, 20)),
        vector_elements=max(1, bus // (2 << lanes % 4)),
        bus_bytes=bus,
        dma_burst_beats=int(rng.choice([1, 3, 16, 256])),
        dma_outstanding=int(rng.integers(1, 5)),
        dma_queue=int(rng.integers(1, 5)),
        memory_bytes=1 << 20,
        memory_latency_cycles=int(rng.integers(1, 50)),
        memory_cycles_per_beat=int(rng.integers(1, 4)),
        clock_mhz=100.0,
        technology=load_params("tiny").technology,
    )


def random_schedule(rng: np.random.Generator) -> BusSchedule:
    """Every channel with a density and a period of its own."""

    def pattern() -> np.ndarray:
        ready = rng.random(int(rng.integers(1, 60))) < rng.choice([0.1, 0.5, 0.9])
        ready[rng.integers(len(ready))] = True
        return ready

    order = WriteOrder(rng.integers(len(WriteOrder)))
    return BusSchedule(*(pattern() for _ in range(5)), order)


class GraphMaker:
    """Grows a graph; `live` are the int8 activations that a next operator may read."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.tensors: list[Tensor] = []
        self.operators: list = []
        self.inputs: list[int] = []
        self.live: list[int] = []

    def tensor(self, shape, quantization=None, data=None, dtype="int8", state=False) -> int:
        name = f"t{len(self.tensors) % 3}"  # names need not be unique
        self.tensors.append(Tensor(name, tuple(shape), dtype, quantization, data, state))
        return len(self.tensors) - 1

    def quantization(self) -> Quantization:
        scale = np.float32(np.exp(self.rng.uniform(np.log(0.004), np.log(0.3))))
        zero_point = self.rng.choice([-128, 127, 0, self.rng.integers(-128, 128)])
        return Quantization(np.array([scale]), int(zero_point))

    def shape(self, index: int) -> tuple[int, ...]:
        return self.tensors[index].shape

    def scale(self, index: int) -> float:
        quantization = self.tensors[index].quantization
        assert quantization is not None
        return float(quantization.scale[0])

    def activation(self, shape, quantization=None) -> int:
        index = self.tensor(shape, quantization or self.quantization())
        self.live.append(index)
        return index

    def weights(self, rows: int, columns: int, unit: float, per_row: bool = False) -> int:
        """Weights whose products are of the order of `unit` in all."""
        rng = self.rng
        density = rng.choice([0, 0.02, 0.1, 0.25, 0.5, 1])
        values = {
            "laplace": lambda: np.rint(rng.laplace(0, 20, (rows, columns))),
            "uniform": lambda: rng.integers(-128, 128, (rows, columns)),
            "extreme": lambda: rng.choice([-128, 127], (rows, columns)),
            "constant": lambda: np.full((rows, columns), rng.integers(-128, 128)),
        }[str(rng.choice(["laplace", "laplace", "uniform", "extreme", "constant"]))]()
        data = np.clip(values, -128, 127).astype(np.int8)
        data[rng.random((rows, columns)) >= density] = 0
        if rng.random() < 0.3:
            data[rng.integers(rows)] = 0
        scale = unit * rng.uniform(0.2, 3, rows if per_row else 1) / (20 * max(1, columns) ** 0.5)
        return self.tensor((rows, columns), Quantization(scale.astype(np.float32), 0), data)

    def bias(self, rows: int, scale: float) -> int | None:
        if self.rng.random() < 0.3:
            return None
        data = self.rng.integers(-3000, 3000, rows).astype(np.int32)
        return self.tensor((rows,), Quantization(np.array([scale], np.float32), 0), data, "int32")

    # --- operators ------------------------------------------------------------------------------
    def fully_connected(self, source: int, rows: int | None = None, frames: int = 1) -> None:
        rng = self.rng
        if len(self.shape(source)) > 1 and rng.random() < 0.2 and frames == 1:
            source = self.reshape(source, (1, self.tensors[source].size))
        columns = self.shape(source)[-1]
        rows = int(rng.integers(1, MAX_ROWS)) if rows is None else rows
        output = self.activation((*self.shape(source)[:-1], rows))
        unit = self.scale(output) / self.scale(source)
        weights = self.weights(rows, columns, unit, per_row=bool(rng.random() < 0.5))
        bias = self.bias(rows, self.scale(source) * self.scale(weights))
        activation = Activation(str(rng.choice([str(a) for a in Activation])))
        if activation is Activation.RELU_N1_TO_1:
            activation = Activation.NONE  # its range may lie outside of the output's
        name = f"fc{len(self.operators)}"
        self.operators.append(FullyConnected(name, source, weights, bias, output, activation))

    def lstm(self, source: int) -> None:
        rng = self.rng
        shape = self.shape(source)
        features = shape[-1]
        if len(shape) != 3 or shape[0] != 1:
            source = self.reshape(source, (1, self.tensors[source].size // features, features))
        time, units = self.shape(source)[1], int(rng.integers(1, 32))
        output = self.activation((1, time, units))
        hidden_quantization = self.tensors[output].quantization
        cell_scale = np.array([2.0 ** -int(rng.integers(8, 16))], np.float32)
        gates = [[], [], []]
        for _ in range(4):
            gates[0].append(self.weights(units, features, 1 / 40 / self.scale(source)))
            gates[1].append(self.weights(units, units, 1 / 40 / self.scale(output)))
            gates[2].append(self.bias(units, 1.0))
        hidden = self.tensor((1, units), hidden_quantization, state=True)
        cell = self.tensor((1, units), Quantization(cell_scale, 0), dtype="int16", state=True)
        clip = float(rng.choice([0, 0, rng.uniform(0.01, 20)]))
        name = f"lstm{len(self.operators)}"
        self.operators.append(
            Lstm(name, source, *(tuple(g) for g in gates), hidden, cell, output, clip)
        )

    def binary(self, source: int, kind: type) -> None:
        other = int(self.rng.choice([i for i in self.live if self.shape(i) == self.shape(source)]))
        output = self.activation(self.shape(source))
        operands = (f"{kind.__name__}{len(self.operators)}", source, other, output)
        if kind is Maximum:
            self.operators.append(kind(*operands))
        else:
            activation = Activation(str(self.rng.choice(["none", "relu", "relu6"])))
            self.operators.append(kind(*operands, activation))

    def unary(self, source: int, kind: type) -> None:
        quantization = self.quantization()
        if kind is Tanh:
            quantization = Quantization(np.array([1 / 128], np.float32), 0)
        elif kind is Logistic:
            quantization = Quantization(np.array([1 / 256], np.float32), -128)
        elif kind is Relu6:
            quantization = self.tensors[source].quantization
        output = self.activation(self.shape(source), quantization)
        more = (float(self.rng.uniform(-1, 2)),) if kind is LeakyRelu else ()
        self.operators.append(kind(f"{kind.__name__}{len(self.operators)}", source, output, *more))

    def reshape(self, source: int, shape: tuple[int, ...]) -> int:
        output = self.activation(shape, self.tensors[source].quantization)
        self.operators.append(Reshape(f"reshape{len(self.operators)}", source, output))
        return output

    def gather(self, rows: int | None = None, count: int | None = None) -> None:
        rng = self.rng
        rows = int(rng.integers(2, 12)) if rows is None else rows
        width = int(rng.integers(1, MAX_WIDTH))
        count = int(rng.integers(1, 4)) if count is None else count
        indices = self.tensor((1, count), dtype="int32")
        self.inputs.append(indices)
        quantization = self.quantization()
        data = rng.integers(-128, 128, (rows, width)).astype(np.int8)
        table = self.tensor((rows, width), quantization, data)
        output = self.activation((1, count, width), quantization)
        self.operators.append(Gather(f"gather{len(self.operators)}", table, indices, output))

    def graph(self, name: str, outputs: Sequence[int]) -> Graph:
        """What was made."""
        return Graph(
            name, tuple(self.tensors), tuple(self.operators), tuple(self.inputs), tuple(outputs)
        )


def random_graph(rng: np.random.Generator) -> Graph:
    """A graph of one to six operators (and the reshapes between them)."""
    maker = GraphMaker(rng)
    if rng.random() < 0.25:
        maker.gather()
    else:
        shape = (1, int(rng.integers(1, 4)), int(rng.integers(1, MAX_WIDTH)))
        maker.inputs.append(maker.activation(shape if rng.random() < 0.5 else shape[1:]))
    if rng.random() < 0.2:
        maker.inputs.append(maker.activation(maker.shape(maker.live[0])))
    kinds = [
        FullyConnected,
        FullyConnected,
        Lstm,
        Add,
        Mul,
        Maximum,
        Tanh,
        Logistic,
        (Abs, Elu, HardSwish, LeakyRelu, Rsqrt)[rng.integers(5)],
        Relu,
        Relu6,
        Quantize,
    ]
    for _ in range(int(rng.integers(1, 7))):
        source = int(rng.choice(maker.live[-3:]))
        kind = kinds[rng.integers(len(kinds))]
        if kind is FullyConnected:
            maker.fully_connected(source)
        elif kind is Lstm:
            maker.lstm(source)
        elif kind in (Add, Mul, Maximum):
            maker.binary(source, kind)
        else:
            maker.unary(source, kind)
    outputs = [maker.live[-1]]
    if rng.random() < 0.4:
        outputs.append(int(rng.choice(maker.live)))
    return maker.graph("random", outputs)


def random_inputs(rng: np.random.Generator, graph: Graph) -> list[np.ndarray]:
    """Inputs for one call."""
    inputs = []
    for index in graph.inputs:
        tensor = graph.tensors[index]
        limit = 1
        for op in graph.operators:
            if isinstance(op, Gather) and op.indices == index:
                limit = graph.tensors[op.table].shape[0]
        low, high = (0, limit) if tensor.dtype == "int32" else (-128, 128)
        inputs.append(rng.integers(low, high, tensor.shape).astype(tensor.dtype))
    return inputs
