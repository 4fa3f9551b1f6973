"""SVDF: a product with each call's input, and a weighted sum over the last calls' products."""

from npu.model.operators.svdf import Svdf

REFUSED = {Svdf: "sums over earlier calls have no commands on the chip yet; run it on the kernels"}
