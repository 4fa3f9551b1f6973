"""The streaming Zipformer of icefall, `egs/librispeech/ASR/zipformer`, a chunk of frames a call.

Z. Yao et al., "Zipformer: a faster and better encoder for automatic speech recognition", arXiv
2310.11230, in the order of `zipformer.py`'s and `subsampling.py`'s `streaming_forward`; what only
training has (balancers, whitening, dropout) is no part of it. `stacks` is the encoder, `layer` one
of its layers, `attention` and `convolution` what sees other frames, `pointwise` what sees one.
"""

from compiler.frontends.workloads.zipformer.convolution import convnext
from compiler.frontends.workloads.zipformer.pointwise import bias_norm, swoosh_l, swoosh_r
from compiler.frontends.workloads.zipformer.stacks import downsample, zipformer

__all__ = ["bias_norm", "convnext", "downsample", "swoosh_l", "swoosh_r", "zipformer"]
