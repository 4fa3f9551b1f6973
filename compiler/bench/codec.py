"""The weight codec beside its peers: the same matrices, everything counted, in one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import Any

import numpy as np

from compiler.bench.cases import SEED, Case, synthetic
from compiler.bench.results import (
    CaseReport,
    CodecReport,
    CoderReport,
    LargeReport,
    PriceReport,
    ProductReport,
    SumReport,
    TotalReport,
)
from compiler.codec import (
    BYTES_FIRST,
    CYCLE_BITS,
    CYCLES_FIRST,
    Packed,
    compress,
    encode,
    entropy_bits,
)
from compiler.codec.ideal import ideal_bits
from compiler.codec.peers import SIZES, Coder, coders
from npu.chip.params import PRESETS, ChipParams, load_params
from npu.chip.summary import summary
from npu.chip.weight_format import SCALE_DTYPE, pack_block

OURS, QUICK = "zeroskip", "zeroskip quick"
# What a cycle is worth: prices that are tried, on matrices of so many zeros.
PRICES = (BYTES_FIRST, 1, 2, CYCLE_BITS, 6, 8, CYCLES_FIRST)
PRICED = (0.05, 0.45)
# The fastest of so many runs counts, and of as many as so many seconds allow.
TIMES = 3
PATIENCE = 0.05
# A model of 45 M parameters.
LARGE = (45, 1024, 1024)
NO_SCALES = np.zeros(0, SCALE_DTYPE)


def packed(case: Case, params: ChipParams, thorough: bool = True) -> tuple[Packed, bytes]:
    """The case compressed, and all that the chip needs of it as bytes, scales left out."""
    result = compress(case.weights, params, thorough)
    return result, pack_block(result.sets, NO_SCALES) + result.tile(params.bus_bytes)


def measure(case: Case, params: ChipParams, peers: dict[str, Coder]) -> dict[str, CoderReport]:
    """Every coder on a case. Raises ValueError where one does not give the weights back."""
    found = {
        OURS: _measure_ours(case, params, thorough=True),
        QUICK: _measure_ours(case, params, thorough=False),
    }
    for name, coder in peers.items():
        found[name] = _measure_peer(name, coder, case)
    for name, size in SIZES.items():
        found[name] = _measured(sum(size(part) for part in case.parts))
    return found


def _measured(
    n_bytes: int,
    encode_seconds: float | None = None,
    decode_seconds: float | None = None,
    code_seconds: float | None = None,
) -> CoderReport:
    return {
        "n_bytes": n_bytes,
        "encode_seconds": encode_seconds,
        "decode_seconds": decode_seconds,
        "code_seconds": code_seconds,
    }


def _timed(work: Callable[..., Any], *arguments: Any, times: int = 1) -> tuple[float, Any]:
    """The least seconds of a run, and the result: of `times` runs, or all that PATIENCE allows."""
    least, spent, runs = float("inf"), 0.0, 0
    while runs < times or (times > 1 and spent < PATIENCE):
        began = time.perf_counter()
        result = work(*arguments)
        seconds = time.perf_counter() - began
        least, spent, runs = min(least, seconds), spent + seconds, runs + 1
    return least, result


def _measure_ours(case: Case, params: ChipParams, thorough: bool) -> CoderReport:
    encode_seconds, (result, data) = _timed(packed, case, params, thorough, times=TIMES)
    decode_seconds, decoded = _timed(result.decode, times=TIMES)
    if not np.array_equal(decoded, case.weights):
        raise ValueError(f"our codec does not give {case.name} back")
    given = (result.slot_rows, result.lanes, result.threads, result.sets)
    code_seconds, _ = _timed(encode, case.weights, *given, times=TIMES)
    return _measured(len(data), encode_seconds, decode_seconds, code_seconds)


def _measure_peer(name: str, coder: Coder, case: Case) -> CoderReport:
    n_bytes, encode_total, decode_total = 0, 0.0, 0.0
    for part in case.parts:
        prepared = coder.prepare(part)
        encode_seconds, data = _timed(coder.encode, prepared, times=TIMES)
        decode_seconds, decoded = _timed(coder.decode, data, part.size, times=TIMES)
        if isinstance(decoded, bytes):
            decoded = np.frombuffer(decoded, np.int8)
        if not np.array_equal(np.asarray(decoded, np.int8), part.reshape(-1)):
            raise ValueError(f"{name} does not give {case.name} back")
        n_bytes += len(data)
        encode_total += encode_seconds
        decode_total += decode_seconds
    return _measured(n_bytes, encode_total, decode_total)


def report(
    cases: Sequence[Case], params: ChipParams, advance: Callable[[int], None]
) -> CodecReport:
    """All cases as the JSON of the bench."""
    peers = coders()
    # Compile everything before it is timed.
    measure(synthetic("laplace", "tensor", 0.9, 8), params, {})
    rows: list[CaseReport] = []
    for case in cases:
        rows.append(
            {
                **case.described(),
                "stacked_entropy_bytes": entropy_bits(case.weights) / 8,
                "huffman_bytes": {way: n / 8 for way, n in ideal_bits(case.weights).items()},
                "prices": _priced(case, params) if _few_zeros(case) else None,
                "presets": _by_preset(case) if case.kind == "small" else None,
                "coders": measure(case, params, peers),
            }
        )
        advance(1)
    names = list(rows[0]["coders"])
    return {
        "chip": summary(params),
        "coders": names,
        "cases": rows,
        "prices": _products(rows),
        "zoo": _sum([row for row in rows if row["kind"] == "zoo"], names),
        "all": _sum(rows, names),
    }


def _few_zeros(case: Case) -> bool:
    """Whether its zeros may be worth coding as weights."""
    least, most = PRICED
    return case.kind == "synthetic" and least <= float(np.mean(case.weights == 0)) <= most


def _by_preset(case: Case) -> dict[str, int]:
    """Bytes on every preset: the more lanes, the more directories."""
    return {name: len(packed(case, load_params(name))[1]) for name in PRESETS}


def _priced(case: Case, params: ChipParams) -> list[PriceReport]:
    """Bytes and cycles over nonzeros by what a cycle is worth in bits."""
    found: list[PriceReport] = []
    for price in PRICES:
        result = compress(case.weights, params, thorough=False, cycle_bits=price)
        stats = result.stats(params.bus_bytes)
        found.append(
            {
                "cycle_bits": price,
                "n_bytes": stats.total_bits // 8,
                "cycles": stats.symbols / stats.nonzeros,
            }
        )
    return found


def _products(rows: list[CaseReport]) -> list[ProductReport]:
    """By price, the mean product of bytes over entropy and cycles over nonzeros."""
    found: list[ProductReport] = []
    for number, price in enumerate(PRICES):
        priced = [(row["entropy_bytes"], row["prices"][number]) for row in rows if row["prices"]]
        logs = [np.log(p["n_bytes"] / entropy * p["cycles"]) for entropy, p in priced]
        found.append(
            {"cycle_bits": price, "product": float(np.exp(np.mean(logs))) if logs else 1.0}
        )
    return found


def _sum(rows: list[CaseReport], names: list[str]) -> SumReport:
    """Bytes of all, over their entropy, and rates in weights per second."""
    weights = sum(int(np.prod(row["shape"])) for row in rows)
    entropy = sum(row["entropy_bytes"] for row in rows)
    found: dict[str, TotalReport] = {}
    for name in names:
        measured = [row["coders"][name] for row in rows]
        n_bytes = sum(each["n_bytes"] for each in measured)
        entry: TotalReport = {"n_bytes": n_bytes, "over_entropy": n_bytes / entropy}
        if encode := _all_of(each["encode_seconds"] for each in measured):
            entry["encode_rate"] = weights / encode
        if code := _all_of(each["code_seconds"] for each in measured):
            entry["code_rate"] = weights / code
        if decode := _all_of(each["decode_seconds"] for each in measured):
            entry["decode_rate"] = weights / decode
        found[name] = entry
    return {"weights": weights, "entropy_bytes": entropy, "coders": found}


def _all_of(seconds: Iterable[float | None]) -> float | None:
    """Their sum, None where one was not measured."""
    known = list(seconds)
    return None if None in known else sum(each for each in known if each is not None)


def _all_packed(
    pool: ThreadPoolExecutor, cases: Sequence[Case], params: ChipParams
) -> list[tuple[Packed, bytes]]:
    return list(pool.map(packed, cases, repeat(params)))


def large(params: ChipParams, workers: int) -> LargeReport:
    """Compress a model of 45 M parameters on `workers` threads."""
    rng = np.random.default_rng(SEED)
    count, rows, columns = LARGE
    cases = []
    for index in range(count):
        values = rng.laplace(0, 20, (rows, columns)) * (rng.random((rows, columns)) < 0.25)
        weights = np.clip(np.rint(values), -127, 127).astype(np.int8)
        cases.append(Case(f"matrix {index}", "large", weights, (weights,)))
    packed(cases[0], params)
    with ThreadPoolExecutor(workers) as pool:
        seconds, results = _timed(_all_packed, pool, cases, params)
    return {
        "weights": count * rows * columns,
        "workers": workers,
        "seconds": seconds,
        "bytes": sum(len(data) for _, data in results),
    }
