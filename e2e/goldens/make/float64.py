"""Runs PyTorch code that asks for float32 in float64.

The reference is recorded in float64 and its results are rounded to far fewer bits. Float32 results differ from one
processor to another, because kernels add in different orders. Rounded float64 results do not.
"""

from contextlib import contextmanager

import torch
from torch.overrides import TorchFunctionMode

# These interpret the bytes of checkpoint files; their type is no wish.
_BYTES = (torch.Tensor.view, torch.frombuffer)


class _Float64(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in _BYTES:
            return function(*args, **kwargs)
        if function is torch.Tensor.float:
            function = torch.Tensor.double
        args = tuple(torch.float64 if value is torch.float32 else value for value in args)
        kwargs = {key: torch.float64 if value is torch.float32 else value for key, value in kwargs.items()}
        return function(*args, **kwargs)


@contextmanager
def float64():
    """Within it, new tensors are float64 by default, and casts to float32 (in norms, softmax, rotary angles) keep float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with _Float64():
            yield
    finally:
        torch.set_default_dtype(before)
