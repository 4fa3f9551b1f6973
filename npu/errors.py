"""Errors that a user can cause: one clear line, exit code 2, no traceback.

Every message says what is wrong, where, with the value, and what to do about it.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from npu.chip.status import Status


class NpuError(Exception):
    """A problem with the user's input or request. The command line prints it and exits with 2."""


class ModelError(NpuError):
    """A model file or folder is damaged, incomplete, or not a model at all."""


class UnsupportedError(NpuError):
    """A model asks for something that the kernels or the chip do not do."""


class ImageError(NpuError):
    """A compiled image (`.npu`) is damaged or does not belong to this chip."""


class ParamsError(NpuError):
    """A chip description has a wrong key or value."""


class RecipeError(NpuError):
    """A recipe for training has a wrong key or value, or asks for what is not installed."""


class CapacityError(NpuError):
    """The model does not fit the chip."""


class AudioError(NpuError):
    """An audio file cannot be read or holds no usable sound."""


class InputError(NpuError):
    """Input tensors do not fit the model."""


class MachineError(NpuError):
    """The simulated chip stopped, or cannot be simulated.

    Attributes
    ----------
    status : what the chip says (`npu.chip.status.Status`); None where a chip would not notice: a
        race, a program that does not end, a wrong use of the simulator.
    pc : index of the command, None where there is none.
    """

    def __init__(self, message: str, status: "Status | None" = None, pc: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.pc = pc
