"""Every operator of the pinned TensorFlow Lite Micro runs here, or a reason says why not."""

from compiler.frontends import refused_operators, supported_operators
from compiler.frontends.tflite.decided import REFUSED, UNKNOWN, reason
from compiler.frontends.tflite.table import SUPPORTED

# What the Python package registers, by the names that the schema or the operator gives.
_NAMES = """
ABS ADD ADD_N ARG_MAX ARG_MIN ASSIGN_VARIABLE AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND
BROADCAST_ARGS BROADCAST_TO CALL_ONCE CAST CEIL CIRCULAR_BUFFER CONCATENATION CONV_2D COS CUMSUM
DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE DIV DYNAMIC_UPDATE_SLICE ELU EMBEDDING_LOOKUP EQUAL
EXP EXPAND_DIMS FILL FLOOR FLOOR_DIV FLOOR_MOD FULLY_CONNECTED GATHER GATHER_ND GREATER
GREATER_EQUAL HARD_SWISH IF L2_NORMALIZATION L2_POOL_2D LEAKY_RELU LESS LESS_EQUAL LOG LOGICAL_AND
LOGICAL_NOT LOGICAL_OR LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN MINIMUM MIRROR_PAD MUL NEG
NOT_EQUAL PACK PAD PADV2 PRELU QUANTIZE READ_VARIABLE REDUCE_ALL REDUCE_MAX REDUCE_MIN RELU RELU6
RESHAPE RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR REVERSE_V2 ROUND RSQRT SELECT_V2 SHAPE SIN SLICE
SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQRT SQUARE SQUARED_DIFFERENCE SQUEEZE
STRIDED_SLICE SUB SUM SVDF TANH TRANSPOSE TRANSPOSE_CONV UNIDIRECTIONAL_SEQUENCE_LSTM UNPACK
VAR_HANDLE WHILE ZEROS_LIKE SignalDelay SignalEnergy SignalFftAutoScale SignalFilterBank
SignalFilterBankLog SignalFilterBankSpectralSubtraction SignalFilterBankSquareRoot SignalFramer
SignalIrfft SignalOverlapAdd SignalPCAN SignalRfft SignalStacker SignalWindow TFLM_DECODE
TFLite_Detection_PostProcess ethos-u
"""
REGISTERED = _NAMES.split()


def test_each_is_decided():
    supported = {name for name, _ in supported_operators()}
    refused = dict(refused_operators())
    assert supported.isdisjoint(refused)
    assert set(REGISTERED) - supported - refused.keys() == set()
    assert refused.keys() <= set(REGISTERED)


def test_none_is_decided_twice():
    assert SUPPORTED.keys().isdisjoint(REFUSED)
    assert all(why and "\n" not in why and why != UNKNOWN for why in REFUSED.values())
    assert reason("no such operator") == reason(9999) == UNKNOWN
