"""Products of two activations that are matrices."""

from npu.model.operators.matmul import BatchMatMul

REFUSED = {
    BatchMatMul: "products of two activations have no commands on the chip yet; run it on the "
    "kernels"
}
