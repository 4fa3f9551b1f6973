"""Front ends of Kaldi's kind, as a `model.json` has them."""

import json
from typing import Any

from npu.model.kaldi_frontend import KaldiFrontendConfig

KALDI_FRONTEND: dict[str, Any] = {
    "type": "kaldi fbank",
    "sample_rate_hz": 16000,
    "samples": "float in -1..1",
    "frame_length_ms": 25.0,
    "frame_shift_ms": 10.0,
    "snip_edges": False,
    "dither": 0.0,
    "remove_dc_offset": True,
    "preemphasis": 0.97,
    "window": "povey",
    "bins": 80,
    "low_hz": 20.0,
    "high_hz": -400.0,
    "use_energy": False,
    "log_floor": "float32 epsilon",
    "stack": 1,
    "stack_hop": 1,
    "call_hop": 1,
    "tail": "feature frames that do not fill one encoder call are dropped",
    "quantise": "round half to even of x/scale, plus zero point, clipped to int8; scale and zero "
    "point of the encoder's input tensor",
}


def kaldi_frontend(**changes: Any) -> KaldiFrontendConfig:
    return KaldiFrontendConfig.model_validate_json(json.dumps(KALDI_FRONTEND | changes))
