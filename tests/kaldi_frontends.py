"""Front ends of Kaldi's kind, as a `model.json` has them."""

import json
from typing import Any

from npu.model.kaldi_frontend import KaldiFrontendConfig, icefall_frontend

KALDI_FRONTEND: dict[str, Any] = icefall_frontend(80, 1).model_dump(mode="json")


def kaldi_frontend(**changes: Any) -> KaldiFrontendConfig:
    return KaldiFrontendConfig.model_validate_json(json.dumps(KALDI_FRONTEND | changes))
