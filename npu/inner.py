"""Functions that only compiled functions call: what numba does for others is left out.

For each function and its types numba makes machine code, an entry for Python and an entry for C.
Of a function that only kernels call all three are waste: LLVM links its form of the function into
that of the callers, and makes the machine code there.
"""

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import Compiler
from numba.core.registry import CPUDispatcher


class _Linked(JITCodeLibrary):
    """LLVM's form of a function, optimised, to be linked into its callers; no machine code."""

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._finalized = True


class _LinkedCompiler(Compiler):
    """Numba's compiler, up to the form that is linked."""

    def _compile_core(self) -> Any:
        state = self.state
        state.library = _Linked(state.targetctx.codegen(), state.func_id.func_qualname)
        # Numba's own way of compiling a function into another one, see `compile_subroutine`.
        state.flags.no_compile = True
        result = super()._compile_core()
        # Callers find the function by what else would be its entry for Python.
        key = object()
        state.targetctx.insert_user_function(key, result.fndesc, [result.library])
        return result._replace(entry_point=key)


class InnerKernel(CPUDispatcher):
    """A function as kernels call it. A call from Python is interpreted."""

    def __init__(self, function: Callable[..., Any], options: dict[str, bool]) -> None:
        options = options | {"nopython": True, "no_cpython_wrapper": True}
        super().__init__(function, {}, options, _LinkedCompiler)

    def get_call_template(self, arguments: Any, names: Any) -> Any:
        # Compiled once for all integers, not anew for each that callers write out.
        return super().get_call_template([types.unliteral(each) for each in arguments], names)

    def add_overload(self, result: Any) -> None:
        self.overloads[tuple(result.signature.args)] = result

    def __call__(self, *arguments: Any) -> Any:
        return self.py_func(*arguments)
