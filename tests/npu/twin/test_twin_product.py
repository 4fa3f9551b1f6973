"""The arithmetic of a product, against exact numbers, and the records that it takes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npu.chip.faults import RecordFault
from npu.chip.lanes import NEVER, ONCE, run_lanes
from npu.chip.weight_format import ROW_DTYPE, SCALE_DTYPE, record_bytes
from npu.twin.matvec import Room
from npu.twin.product import broadcast, multiply
from npu.twin.records import Records, Wrong
from tests.npu.twin.lane_cases import cases, random_case


def take(case, zero):
    """The case's vector (int8), of which its activations now are what `zero` makes of it."""
    vector = np.clip(case.activations, -128, 127).astype(np.int8)
    case.activations = vector.astype(np.int32) - zero
    fields = case.fields
    fields["a_zero"] = zero
    return vector, fields


@given(cases, st.booleans(), st.integers(-128, 127))
def test_every_element(case, wide, zero):
    """In the order in which the rows leave, with every MAC that a zero gates."""
    vector, fields = take(case, zero)
    decoded = case.decode()
    order = run_lanes(case.barrel, decoded.turns, ONCE, NEVER).order
    rows, wrong = case.records().of(decoded.records[order], Room(len(case.weights)).outside)
    assert wrong is None
    weights = decoded.weights[order]
    nonzeros = np.count_nonzero(weights, axis=0)
    out = np.zeros(len(weights), np.int16 if wide else np.int8)
    gated = multiply(weights, nonzeros, vector, rows, fields, out)
    np.testing.assert_array_equal(out, case.expected())
    assert gated == np.count_nonzero(case.weights[:, case.activations == 0])


def test_the_result_may_overlap_the_vector():
    case = random_case(8, "sparse", 2, 2, 8, False, rows=20, columns=20)
    vector, fields = take(case, 0)
    decoded = case.decode()
    rows, _ = case.records().of(decoded.records, Room(20).outside)
    nonzeros = np.count_nonzero(decoded.weights, axis=0)
    multiply(decoded.weights, nonzeros, vector, rows, fields, vector)
    np.testing.assert_array_equal(vector, case.expected())


@given(st.integers(-256, 255))
def test_activations_are_broadcast_in_nine_bits(zero):
    vector = np.arange(-128, 128).astype(np.int8)
    found = broadcast(vector, zero)
    for x, activation in zip(vector.tolist(), found.tolist(), strict=True):
        assert -256 <= activation < 256
        assert (activation - (x - zero)) % 512 == 0


# --- records ------------------------------------------------------------------------------------
def some_records(per_row):
    rows, scales = np.zeros(4, ROW_DTYPE), np.zeros(4 if per_row else 2, SCALE_DTYPE)
    rows["bias"], rows["destination"] = [10, 11, 12, 13], [3, 2, 1, 0]
    rows["scale"] = [0, 0, 1, 0]
    scales["multiplier"] = 100 + np.arange(len(scales))
    scales["shift"] = -np.arange(len(scales))
    return Records(rows, scales, per_row)


@pytest.mark.parametrize("per_row", [False, True])
def test_records_are_read_from_parameter_memory(per_row):
    wanted = some_records(per_row)
    shared = wanted.scales[: 0 if per_row else None]
    raw = wanted.rows.view(np.uint8).reshape(4, -1)
    if per_row:
        raw = np.concatenate([raw, wanted.scales.view(np.uint8).reshape(4, -1)], axis=1)
    assert raw.shape[1] == record_bytes(len(shared))
    param = np.concatenate([np.full(16, 255, np.uint8), raw.reshape(-1)])
    found = Records.read(param, 16, 9, shared)
    assert found.per_row == per_row
    np.testing.assert_array_equal(found.rows, wanted.rows)
    np.testing.assert_array_equal(found.scales, wanted.scales)
    assert len(Records.read(param, 16, 3, shared).rows) == 3
    assert len(Records.read(param, len(param) + 8, 3, shared).rows) == 0


@pytest.mark.parametrize("per_row", [False, True])
def test_rows_are_found_in_the_order_asked_for(per_row):
    rows, wrong = some_records(per_row).of(np.array([2, 0]), Room(4).outside)
    assert wrong is None
    index = 2 if per_row else 1
    assert rows.tolist() == [(12, 1, 100 + index, -index), (10, 3, 100, 0)]


@pytest.mark.parametrize("per_row", [False, True])
def test_the_first_row_that_is_wrong_is_told(per_row):
    def wrong(wanted, elements=4, **scale):
        records = some_records(per_row)
        for name, value in scale.items():
            records.scales[name][0] = value
        return records.of(np.array(wanted), Room(elements).outside)[1]

    assert wrong([3, 4, 0], 3) == Wrong(1, RecordFault.OUTSIDE)
    assert wrong([3, 0, 4], 3) == Wrong(1, RecordFault.INDEX)
    for scale in ({"multiplier": -1}, {"shift": -32}, {"shift": 31}):
        assert wrong([2, 0, 4], **scale) == Wrong(1, RecordFault.SCALE)
    assert wrong([2, 0], shift=30) is None
    assert wrong([2, 0], shift=-31) is None


def test_a_shared_scale_that_is_not_there():
    records = some_records(per_row=False)
    records.rows["scale"][1] = 2
    assert records.of(np.array([0, 1]), Room(4).outside)[1] == Wrong(1, RecordFault.INDEX)


def test_no_records_at_all():
    none = Records(np.zeros(0, ROW_DTYPE), np.zeros(0, SCALE_DTYPE), per_row=True)
    assert none.of(np.array([0]), Room(4).outside)[1] == Wrong(0, RecordFault.OUTSIDE)
    assert none.of(np.zeros(0, np.int64), Room(4).outside)[1] is None
