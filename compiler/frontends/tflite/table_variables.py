"""The lines of TFLite's table for resource variables."""

from tflite.BuiltinOperator import BuiltinOperator
from tflite.BuiltinOptions import BuiltinOptions
from tflite.CallOnceOptions import CallOnceOptions
from tflite.VarHandleOptions import VarHandleOptions

from compiler.frontends.tflite import constraints as common
from compiler.frontends.tflite import variables
from compiler.frontends.tflite.entry import Entry

_PLAIN = (common.not_compressed,)

VARIABLES: dict[int, Entry] = {
    BuiltinOperator.ASSIGN_VARIABLE: Entry(
        (variables.has_handle, variables.one_value), variables.assign, common=_PLAIN
    ),
    BuiltinOperator.CALL_ONCE: Entry(
        (variables.comes_first,),
        variables.once,
        (BuiltinOptions.CallOnceOptions, CallOnceOptions),
        common=_PLAIN,
    ),
    BuiltinOperator.READ_VARIABLE: Entry(
        (common.one_output, variables.has_handle, variables.one_value),
        variables.read,
        common=_PLAIN,
    ),
    BuiltinOperator.VAR_HANDLE: Entry(
        (common.one_output, variables.has_name),
        variables.handle,
        (BuiltinOptions.VarHandleOptions, VarHandleOptions),
        common=_PLAIN,
    ),
}
