"""Matrix-vector commands: remembered as stepped in every bit and cycle, whatever is loaded."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from compiler import compile_model, load_model
from compiler.codec.tile import pack_tile
from compiler.lowering.ir import Matrix
from compiler.passes.tiles import pack_matrix
from npu.chip import timing
from npu.chip.isa import command
from npu.chip.params import load_params
from npu.chip.status import Status
from npu.chip.weight_format import (
    IN_ORDER,
    LUT_BYTES,
    PARAM_WORD,
    ROW_DTYPE,
    RUN_ENTRIES_AT,
    SCALES_AT,
    STREAM_BITS,
    VALUE_ENTRIES_AT,
    directory_words,
)
from npu.errors import MachineError
from npu.model.layer import Layer
from npu.runtime.sessions import GraphSession, TransducerSession
from npu.twin import matvec, products
from tests.conftest import ROOT
from tests.npu.twin.programs import chip, failure, machine, put

VECTORS = ROOT / "tests" / "vectors" / "tflite"
DST = 4096


@dataclass
class Product:
    """A matrix in external memory and the commands that multiply by it."""

    weights: np.ndarray
    at: int = 0
    bank: int = 0
    param: int = 0
    seed: int = 0
    per_row: bool = False

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        rows, columns = self.weights.shape
        n = rows if self.per_row else 1
        self.matrix = matrix = Matrix(
            Layer("main", "test", rows=(rows,)),
            self.weights,
            bias=rng.integers(-1000, 1000, rows),
            destination=rng.permutation(rows),
            multipliers=np.resize(rng.integers(2**30, 2**31, n), rows),
            shifts=np.full(rows, -8),
            columns_used=columns,
        )
        self.inside = 0  # bus words from the tile's place to the sections
        self.packed = pack_matrix(matrix, chip(), 512, 4096)
        (self.tile,) = self.packed.tiles
        block = self.packed.block
        assert len(block) % 8 == 0
        self.constants = (block + self.tile.records).ljust(1024, b"\0")
        self.rows = self.param + len(block)

    def load(self, tag=0):
        """Into banks and parameter memory."""
        tile, beats = self.at + len(self.constants), len(self.tile.image) // 8
        return [
            command("LOAD_PARAM", ext=self.at, param=self.param, beats=128, tag=tag),
            command("LOAD_BANK", ext=tile, bank=self.bank, beats=beats, tag=tag),
        ]

    def multiply(self, **changes):
        values = {
            "dst": DST,
            "columns": self.weights.shape[1],
            "a": 0,
            "bank": self.bank + self.inside,
            "block": self.param,
            "rows": self.rows,
            "lo": -128,
            "hi": 127,
            "a_zero": 3,
        }
        return command("MATVEC", **(values | changes))

    def place(self, made):
        put(made.memory.data, self.at, np.frombuffer(self.constants, np.uint8))
        image = np.frombuffer(self.tile.image, np.uint8)
        put(made.memory.data, self.at + len(self.constants), image)


def sparse(seed, rows=30, columns=40, density=0.3):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-128, 128, (rows, columns)).astype(np.int8)
    weights[rng.random(weights.shape) >= density] = 0
    return weights


WAIT = command("WAIT", tags=0xFF)


def trace(products, commands, step, starts=3, change=lambda made, start: None, **options):
    """Retire records and SRAM of several starts of a program, with the counters."""
    records = []
    made = machine(
        *commands,
        step=step,
        observer=lambda retire, chip: records.append((retire, chip.sram.tobytes())),
        **options,
    )
    for product in products:
        product.place(made)
    rng = np.random.default_rng(5)
    for start in range(starts):
        put(made.sram, 0, rng.integers(-128, 128, 64).astype(np.int8))
        change(made, start)
        made.run(0)
    return records, made.counters.as_dict()


def assert_remembered_as_stepped(products, commands, **options):
    remembered, counted = trace(products, commands, False, **options)
    stepped, counted_stepped = trace(products, commands, True, **options)
    assert remembered == stepped
    assert counted == counted_stepped
    return remembered


def counted_steps(monkeypatch):
    """A list that grows with every run of the lanes."""
    real, calls = matvec.plan, []
    monkeypatch.setattr(matvec, "plan", lambda *args: calls.append(1) or real(*args))
    return calls


# --- remembered = stepped -----------------------------------------------------------------------
@pytest.mark.parametrize("name", ["joint", "lstm_stream", "predictor"])
@pytest.mark.parametrize("chip_name", ["edge", "tiny"])
def test_models_remembered_as_stepped(name, chip_name):
    image = compile_model(load_model(VECTORS / f"{name}.tflite"), load_params(chip_name))
    recorded = np.load(VECTORS / f"{name}.npz")
    inputs = [recorded[f"input{i}"] for i in range(len(image.header.invoke.inputs))]
    traces = []
    for step in (False, True):
        records = []
        session = GraphSession(image, step=step, observer=lambda r, _, to=records: to.append(r))
        for call in range(4):
            outputs = session.invoke([array[call] for array in inputs])
            np.testing.assert_array_equal(outputs[0], recorded["output"][call])
        traces.append((records, session.cycles, session.machine.counters.as_dict()))
    assert traces[0] == traces[1]


def test_the_transducer_remembered_as_stepped(zoo):
    image = compile_model(load_model("commands_rnnt"), load_params("edge"))
    features = np.load(zoo / "commands_rnnt" / "utterances" / "test_fl_093.npz")["features"][:12]
    traces = []
    for step in (False, True):
        records = []
        session = TransducerSession(
            image, step=step, observer=lambda r, _, to=records: to.append(r)
        )
        tokens = session.accept(features)
        traces.append((tokens, records, session.cycles, session.machine.counters.as_dict()))
    assert traces[0] == traces[1]


def test_the_first_product_is_stepped_the_next_is_not(monkeypatch):
    product = Product(sparse(1))
    commands = [*product.load(), WAIT, product.multiply(), product.multiply()]
    expected, _ = trace([product], commands, False)
    calls = counted_steps(monkeypatch)
    assert trace([product], commands, False)[0] == expected
    assert len(calls) == 1


def test_reloading_something_else_at_the_same_place():
    """Other weights under the same program: same external address, banks and parameter memory."""
    one = Product(sparse(1))
    commands = [*one.load(), WAIT, one.multiply()]
    # The rows in another order have the same codes and, for some order, equally long sections.
    orders = (np.random.default_rng(i).permutation(30) for i in range(100))
    others = (Product(one.weights[order]) for order in orders)
    two = next(other for other in others if [*other.load(), WAIT, other.multiply()] == commands)
    assert two.tile.image != one.tile.image

    def change(made, start):
        (one, two, two, one)[start].place(made)

    assert_remembered_as_stepped([], commands, starts=4, change=change)


def test_changed_scales_at_the_same_address():
    product = Product(sparse(1))
    commands = [*product.load(), WAIT, product.multiply()]

    def change(made, start):
        # The first bias.
        made.memory.data[product.rows : product.rows + 4] = np.array([start << 18], "<i4").view(
            "u1"
        )

    records = assert_remembered_as_stepped([product], commands, change=change)
    results = [sram for retire, sram in records if retire.name == "MATVEC"]
    assert results[0][DST:] != results[1][DST:]


def test_a_partly_overwritten_tile(monkeypatch):
    """The tail of a tile is overwritten by different words: never a remembered answer."""
    weights = np.random.default_rng(1).integers(1, 128, (30, 40)).astype(np.int8)
    product = Product(weights)
    # Codes of one length and no runs: any words in the streams are weights.
    assert np.count_nonzero(product.tile.packed.sets[0][1].counts) == 1
    after = product.tile.bank_words - 12
    tails = [Product(sparse(3 + i), at=16384 * (1 + i), bank=after, param=4096) for i in range(2)]
    commands = [*product.load(), WAIT, product.multiply()]
    for tail in (*tails, *tails):
        commands += [*tail.load(), WAIT, product.multiply()]
    records = assert_remembered_as_stepped([product, *tails], commands, starts=1)
    outputs = [sram[DST : DST + 30] for retire, sram in records if retire.name == "MATVEC"]
    assert len(set(outputs)) == 3
    calls = counted_steps(monkeypatch)
    trace([product, *tails], commands, False, starts=1)
    assert len(calls) == 5


def test_weights_that_take_no_bits(monkeypatch):
    """A constant dense matrix: codes of one entry; no bits bound the number of symbols."""
    product = Product(np.full((60, 64), 5, np.int8))
    assert product.tile.packed.sections[0][0] >> STREAM_BITS
    assert sum(map(len, product.tile.packed.sections)) == 4 * directory_words(2)
    commands = [*product.load(), WAIT, product.multiply()]
    assert_remembered_as_stepped([product], commands)
    calls = counted_steps(monkeypatch)
    trace([product], commands, False)
    assert len(calls) == 1


def test_what_is_too_large_to_remember_is_stepped(monkeypatch):
    product = Product(sparse(1))
    commands = [*product.load(), WAIT, product.multiply()]
    expected = trace([product], commands, True)
    monkeypatch.setattr(products, "MAX_PLANNED_WEIGHTS", 30 * 40 - 1)
    calls = counted_steps(monkeypatch)
    assert trace([product], commands, False) == expected
    assert len(calls) == 3


def test_another_destination_with_the_same_weights():
    product = Product(sparse(1))
    end = chip().sram_bytes
    commands = [
        *product.load(),
        WAIT,
        product.multiply(),
        product.multiply(dst=DST + 64, dst_type=1, hi=32767, lo=-32768),
        product.multiply(dst=end - 32),
    ]
    assert_remembered_as_stepped([product], commands)
    outside = product.multiply(dst=end - 16)
    messages = []
    for commands in ([outside], [product.multiply(), outside]):
        made = machine(*product.load(), WAIT, *commands)
        product.place(made)
        messages.append(failure(made).split(": ", 1)[1])
    assert messages[0] == messages[1]
    assert messages[0].startswith("matvec: a destination or scale index is out of range")


@pytest.mark.parametrize(
    "fields",
    [
        {"a": 4},
        {"a": 8192},
        {"a": 8184},
        {"a": 2**24 - 8},
        {"dst": DST + 1, "dst_type": 1},
        {"dst": 8193},
        {"dst": 8192},
        {"columns": 0},
        {"columns": 1025},
        {"rows": 4},
        {"bank": 511},
        {"block": 4},
    ],
    ids=str,
)
def test_operands_are_checked_whatever_is_remembered(fields):
    product = Product(sparse(1))
    bad, stops = product.multiply(**fields), []
    for before in ([], [product.multiply()], [product.multiply(), product.multiply()]):
        made = machine(*product.load(), WAIT, *before, bad)
        product.place(made)
        with pytest.raises(MachineError) as raised:
            made.run(0)
        stops.append((str(raised.value).split(": ", 1)[1], raised.value.status))
    assert stops[0] == stops[1] == stops[2]
    assert stops[0][1] in (Status.ADDRESS, Status.TABLE, Status.RECORD)


# --- odd but legal directories ------------------------------------------------------------------
def edited(product, change):
    """The product with its sections' directories changed.

    A tile counts the row bases itself: so the sections come as the streams of slots without rows,
    and the command finds them behind those slots' directories.
    """
    opening = np.zeros(directory_words(2), np.uint32)
    sections = [section.copy() for section in product.tile.packed.sections]
    for lane, section in enumerate(sections):
        change(lane, section)
    image = pack_tile([np.concatenate([opening, section]) for section in sections], 2, 2)
    product.inside = len(opening) // 2
    words = product.tile.bank_words + product.inside
    product.tile = replace(product.tile, image=image, bank_words=words)
    return product


def same_rows(lane, words):
    """Every slot claims the records from 0 on."""
    for thread in range(2):
        words[2 * thread + 1] &= (1 << STREAM_BITS) - 1


def late_rows(lane, words):
    """Slots of the last lane name records further on; those between belong to nobody."""
    if lane == 3:
        for thread in range(2):
            words[2 * thread + 1] += 40 << STREAM_BITS


@pytest.mark.parametrize("change", [same_rows, late_rows])
def test_records_shared_or_unused(change):
    product = edited(Product(sparse(1)), change)
    raw = bytearray(product.constants)
    # What belongs to nobody may hold anything.
    gap = product.rows + 30 * ROW_DTYPE.itemsize
    raw[gap:] = b"\xff" * (len(raw) - gap)
    if change is late_rows:
        for record in range(60, 72):
            at = product.rows + record * ROW_DTYPE.itemsize
            raw[at : at + 8] = np.array([(7, record, 0)], ROW_DTYPE).tobytes()
        raw = raw[:1024]
    product.constants = bytes(raw)
    assert_remembered_as_stepped([product], [*product.load(), WAIT, product.multiply()])


def test_a_section_that_goes_on_in_what_was_there_before():
    """Lane 0's words come from the tile that is loaded now and from the one before."""
    weights = np.random.default_rng(1).integers(1, 128, (30, 40)).astype(np.int8)
    long = Product(weights)
    others = [Product(weights, at=16384 * i) for i in (1, 2, 3)]
    sections = long.tile.packed.sections
    # As many words as leave whole bus words before them.
    last = 2 - len(sections[0]) % 2

    def replaced(product, words):
        tile = product.tile
        image = pack_tile([words, *sections[1:]], 2, 2)
        product.tile = type(tile)(tile.packed, image, tile.records, tile.bank_words)

    for number, other in enumerate(others):
        words = sections[0].copy()
        words[-last:] = 0x01010101 * (17 * number + 1)
        replaced(other, words)
    replaced(long, sections[0][:-last])
    commands = []
    for other in others:
        commands += [*other.load(), WAIT, *long.load(), WAIT, long.multiply(), long.multiply()]
    records = assert_remembered_as_stepped([long, *others], commands, starts=1)
    outputs = [sram[DST : DST + 30] for retire, sram in records if retire.name == "MATVEC"]
    assert len(set(outputs)) == 3


def test_more_rows_than_a_tile_has():
    def change(lane, words):
        for thread in range(2):
            words[2 * thread] |= 4095 << STREAM_BITS
            words[2 * thread + 1] &= (1 << STREAM_BITS) - 1

    product = edited(Product(np.full((60, 64), 5, np.int8)), change)
    made = machine(
        *product.load(), WAIT, product.multiply(), params=chip(param_bytes=65536, threads=2)
    )
    product.place(made)
    assert "matvec: 32760 rows, a tile has at most 4096" in failure(made)


def test_records_behind_parameter_memory():
    product = Product(sparse(1))
    made = machine(*product.load(), WAIT, product.multiply(rows=chip().param_bytes - 8))
    product.place(made)
    assert "matvec: a row record lies outside parameter memory" in failure(made)


def test_corrupt_streams_name_lane_thread_and_bit():
    def change(lane, words):
        if lane == 2:
            words[3] -= 1

    product = edited(Product(sparse(1)), change)
    made = machine(*product.load(), WAIT, product.multiply())
    product.place(made)
    message = failure(made)
    assert "matvec: a stream runs past its end (lane 2, thread 1, bit " in message


# --- races --------------------------------------------------------------------------------------
def test_everything_in_flight_is_a_race():
    product = Product(sparse(1))
    sections = product.tile.bank_words
    loads = {
        "bank 0x0": command("LOAD_BANK", ext=product.at + 1024, beats=len(product.tile.image) // 8),
        "param 0x0": command("LOAD_PARAM", ext=0, param=0, beats=1),
        f"param {product.rows:#x}": command(
            "LOAD_PARAM", ext=product.rows, param=product.rows + 29 * 8, beats=1
        ),
    }
    for place, load in loads.items():
        made = machine(*product.load(), WAIT, load, product.multiply())
        product.place(made)
        assert f"race: {place} to " in failure(made)
        made = machine(*product.load(), WAIT, load, WAIT, product.multiply())
        product.place(made)
        made.run(0)
    tail = Product(sparse(2), at=16384, bank=sections - 1, param=4096)
    behind = Product(sparse(2), at=16384, bank=sections, param=4096)
    for other, raced in ((tail, True), (behind, False)):
        made = machine(*product.load(), WAIT, *other.load(), product.multiply())
        product.place(made)
        other.place(made)
        if raced:
            assert "race: bank 0x0 to " in failure(made)
        else:
            made.run(0)


def test_a_missing_wait():
    product = Product(sparse(1))
    made = machine(*product.load(), product.multiply())
    product.place(made)
    assert "race: " in failure(made)


# --- time ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("rows", "columns", "per_row"), [(30, 40, False), (20, 1000, True)])
def test_cycles_are_the_sum_of_the_parts(rows, columns, per_row):
    product = Product(sparse(1, rows, columns), per_row=per_row)
    records = []
    made = machine(
        *product.load(), WAIT, product.multiply(), observer=lambda r, _: records.append(r)
    )
    product.place(made)
    made.run(0)
    (record,) = [r for r in records if r.name == "MATVEC"]
    p, header = made.params, product.packed.block
    load = max(
        timing.load_block(
            [(header[RUN_ENTRIES_AT] % IN_ORDER, header[VALUE_ENTRIES_AT])], header[SCALES_AT]
        ),
        -(-columns // p.bus_bytes),
        timing.prime(p.threads),
    )
    counters = made.counters
    assert record.end - record.start + 1 == counters.matvec_cycles
    assert counters.matvec_cycles == (
        timing.MATVEC_START + load + made.events.matvec_run_cycles + timing.MATVEC_END
    )
    assert counters.symbols >= counters.macs == np.count_nonzero(product.weights)
    record_bytes = rows * (16 if per_row else 8)
    assert made.events.param_reads == (len(product.packed.block) + record_bytes) // PARAM_WORD
    words = p.align(columns) // p.bus_bytes
    assert made.events.sram_reads == made.events.activation_words == words
    assert made.events.sram_writes == made.events.rows == rows
    sections = sum(p.align(section.nbytes) for section in product.tile.packed.sections)
    assert made.events.bank_reads * 4 == made.events.bank_writes * p.bus_bytes == sections
    assert made.events.param_writes == len(product.constants) // p.bus_bytes


def test_a_look_up_table_does_not_disturb():
    product = Product(sparse(1), param=LUT_BYTES)
    commands = [*product.load(), WAIT, command("TABLE", param=0), product.multiply()]
    assert_remembered_as_stepped([product], commands)
