"""How workloads are named, and what is said of names that are none."""

import pytest

from compiler import load_model, model_files
from compiler.frontends.workloads import Workload, is_workload, published, with_weights, workload_of
from npu.errors import ModelError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("workload:mlperf_rnnt", Workload("mlperf_rnnt", 0.0, 1)),
        ("workload:mlperf_rnnt,sparsity=0.75", Workload("mlperf_rnnt", 0.75, 1)),
        ("workload:google_2019, seed=7 ,sparsity=.5", Workload("google_2019", 0.5, 7)),
    ],
)
def test_a_name_says_all(text, found):
    assert is_workload(text)
    assert workload_of(text) == found
    assert workload_of(str(found)) == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("workload:", r"no workload \"\"; there are: mlperf_rnnt, google_2019, "),
        ("workload:mlperf_rnt", "did you mean workload:mlperf_rnnt\\? there are: "),
        ("workload:mlperf_rnnt,zeros=1", '"zeros=1" must be sparsity=S or seed=N, each once'),
        ("workload:mlperf_rnnt,seed=1,seed=2", '"seed=2" must be sparsity=S or seed=N, each once'),
        ("workload:mlperf_rnnt,sparsity", '"sparsity" must be sparsity=S or seed=N'),
        ("workload:mlperf_rnnt,sparsity=half", 'must be a number, as sparsity=0.75, not "half"'),
        ("workload:mlperf_rnnt,seed=1.5", 'seed must be a number, as seed=1, not "1.5"'),
        ("workload:mlperf_rnnt,sparsity=1", "sparsity must be 0 to 0.999, the share of zeros"),
        ("workload:mlperf_rnnt,sparsity=nan", "sparsity must be 0 to 0.999"),
        ("workload:mlperf_rnnt,seed=-1", "seed must be 0 to"),
    ],
)
def test_a_wrong_name_is_told(text, told):
    for read in (workload_of, load_model, model_files):
        with pytest.raises(ModelError, match=told):
            read(text)


def test_options_come_on_top_of_a_name():
    named = workload_of("workload:mlperf_rnnt,sparsity=0.5,seed=3")
    assert with_weights(named, None, None) == named
    assert with_weights(named, 0.9, None) == Workload("mlperf_rnnt", 0.9, 3)
    assert with_weights(named, None, 4) == Workload("mlperf_rnnt", 0.5, 4)


def test_it_has_no_signatures_and_stands_in_a_file():
    with pytest.raises(ModelError, match="a transducer has no signatures"):
        load_model("workload:mlperf_rnnt", "main")
    (file,) = model_files("workload:mlperf_rnnt")
    assert file.name == "workloads.json"


def test_every_entry_has_its_source():
    for entry in published().values():
        assert entry["title"] and entry["sources"] and isinstance(entry["differs"], list)


def test_a_model_that_there_is_not_is_told_of_workloads():
    with pytest.raises(ModelError, match=r"or a workload .*workload:mlperf_rnnt"):
        load_model("nothing_here")
