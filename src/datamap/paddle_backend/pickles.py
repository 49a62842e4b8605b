"""Read arrays from a pickle without running the code in it.

A pickle is a program. Unpickled as usual, it can call any function, and NumPy's own functions crash the process if
their arguments are hostile (`numpy.ndarray(shape, "O", bytes)` takes addresses from the bytes). So here a pickle may
use only the opcodes that arrays need, and the few names that it may call stand for functions of this module, which
check every argument.
"""

import io
import math
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from datamap.errors import ModelError

_OPCODES = (
    "PROTO", "FRAME", "STOP", "MARK", "POP", "POP_MARK", "MEMOIZE",
    "PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET", "LONG_BINGET",
    "NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "FLOAT", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "TUPLE", "EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "LIST", "EMPTY_LIST", "APPEND", "APPENDS",
    "DICT", "EMPTY_DICT", "SETITEM", "SETITEMS",
    "GLOBAL", "STACK_GLOBAL", "REDUCE", "BUILD", "BINPERSID",
)  # fmt: skip
_DTYPE = re.compile(r"([<>=|]?)(b1|\?|[iu][1248]|f[248])")  # numbers only: no objects, no text, no fields
_TORCH_TYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1",
    "BoolStorage": "?",
}  # fmt: skip


def read(file: Path, trusted: bool = False) -> dict[str, np.ndarray]:
    """Read the arrays by name from a file that Paddle, NumPy or PyTorch pickled.

    Args:
        file: a pickle, or the zip file in which PyTorch stores one.
        trusted: allow the pickle to call any function.

    Raises:
        ModelError: the pickle would call a function that no array needs, or does not hold arrays by name.
        Exception: the file is damaged; the type of the error varies.
    """
    parts = zipfile.ZipFile(file) if zipfile.is_zipfile(file) else None
    program = file.read_bytes() if parts is None else _part(parts, _program_of(parts, file), file)
    kind = _TrustedUnpickler if trusted else _Unpickler
    found = kind(program, file, parts).load()
    if isinstance(found, dict):
        found = {name: value.array if isinstance(value, _Array) else value for name, value in found.items()}
        found.pop("StructuredToParameterName@@", None)  # of paddle.save: names that it gives parameters
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, np.ndarray) for name, value in found.items()
    ):
        raise ModelError(f"{file} does not hold arrays by name; save the model as safetensors")
    return found


def _program_of(parts: zipfile.ZipFile, file: Path) -> str:
    name = next((name for name in parts.namelist() if name.endswith("data.pkl")), None)
    if name is None:
        raise ModelError(f"{file} is a zip file without a data.pkl: PyTorch did not write it")
    return name


def _part(parts: zipfile.ZipFile, name: str, file: Path) -> bytes:
    """Read a part; PyTorch does not compress parts, so none is larger than the file."""
    if parts.getinfo(name).file_size > file.stat().st_size:
        raise ModelError(f"{file}: {name} in it is larger than the file: PyTorch did not write it")
    return parts.read(name)


class _Storages:
    """Load the numbers that PyTorch stores next to the pickle in the zip file; a mixin of both unpicklers."""

    def __init__(self, program: bytes, file: Path, parts: zipfile.ZipFile | None) -> None:
        super().__init__(io.BytesIO(program), encoding="latin1")  # type: ignore[call-arg]
        self.file, self.parts = file, parts
        self.storages: dict[str, np.ndarray] = {}

    def persistent_load(self, pid: Any) -> np.ndarray:
        """Return the numbers that a pickle refers to."""
        _, dtype, key, _, count = pid
        if self.parts is None or dtype not in _TORCH_TYPES.values():
            raise pickle.UnpicklingError("numbers of another file, or of no type that PyTorch has")
        if key not in self.storages:
            folder = _program_of(self.parts, self.file).removesuffix("data.pkl")
            content = _part(self.parts, f"{folder}data/{key}", self.file)
            if dtype == "bfloat16":
                import ml_dtypes  # of Paddle

                dtype = ml_dtypes.bfloat16
            self.storages[key] = np.frombuffer(content, dtype, _count(count))
        return self.storages[key]


class _TrustedUnpickler(_Storages, pickle.Unpickler):
    """Call any function that a pickle names, and build PyTorch's tensors without PyTorch."""

    def find_class(self, module: str, name: str) -> Any:
        """Return the function or type of this name."""
        if module == "torch" and name in _TORCH_TYPES:
            return _TORCH_TYPES[name]
        builder = _CALLS.get((module, name)) if module == "torch._utils" else None
        return builder or super().find_class(module, name)


class _Opcodes(dict):
    """Map the opcodes of `_OPCODES` to their functions in `pickle._Unpickler`."""

    def __init__(self) -> None:
        known = pickle._Unpickler.dispatch
        super().__init__((code, known[code]) for code in (getattr(pickle, name)[0] for name in _OPCODES))
        self[pickle.BYTEARRAY8[0]] = known[pickle.BINBYTES8[0]]  # which allocates no more than the file holds

    def __missing__(self, code: int) -> None:
        raise pickle.UnpicklingError(f"opcode {code}, which no array needs")


class _Unpickler(_Storages, pickle._Unpickler):
    """Build arrays, and call nothing else.

    It derives from the unpickler that is written in Python: the one in C fills tables of gigabytes if a pickle asks.
    """

    dispatch = _Opcodes()

    def find_class(self, module: str, name: str) -> Any:
        """Return the function that the pickle may call by this name.

        Raises:
            ModelError: no array needs it.
        """
        if module == "torch" and name in _TORCH_TYPES:
            return _TORCH_TYPES[name]
        if (module, name) in _CALLS:
            return _CALLS[module, name]
        raise ModelError(
            f"{self.file} was not loaded: this pickle would call {module}.{name}, which no weights need, so it may be "
            "hostile; get the model as safetensors, or set model.trust_pickle=true"
        )


class _Call:
    """Wrap a function that a pickle may call but not change."""

    __slots__ = ("_function",)
    _function: Callable

    def __init__(self, function: Callable) -> None:
        object.__setattr__(self, "_function", function)

    def __call__(self, *arguments: Any) -> Any:
        return self._function(*arguments)

    def __setattr__(self, *_: object) -> None:
        raise pickle.UnpicklingError("a function that is to be changed")

    __setstate__ = __setattr__


class _Dtype:
    """Represent a type of numbers, given by the characters that NumPy writes for it; its state is the byte order."""

    def __init__(self, text: object, *_: object) -> None:
        found = _DTYPE.fullmatch(text) if isinstance(text, str) else None
        if not found:
            raise pickle.UnpicklingError(f"an array of {text!r}, not of numbers")
        self.order, self.code = found.groups()

    def __setstate__(self, state: Any) -> None:
        order = state[1]
        if order not in ("<", ">", "=", "|") or any(part is not None for part in state[2:5]):
            raise pickle.UnpicklingError("an array with fields, not of numbers")
        self.order = order

    @property
    def dtype(self) -> np.dtype:
        """Return NumPy's type."""
        return np.dtype(self.order + self.code)


class _Array:
    """Represent an array that gets its numbers from its state, as NumPy pickles arrays."""

    array: np.ndarray | None = None

    def __setstate__(self, state: Any) -> None:
        _, shape, dtype, by_columns, content = state
        self.array = _from_buffer(content, dtype, shape, "F" if by_columns else "C")


def _from_buffer(content: Any, dtype: Any, shape: Any, order: Any = "C") -> np.ndarray:
    if isinstance(content, str):  # of Python 2
        content = content.encode("latin1")
    if not isinstance(content, bytes) or not isinstance(dtype, _Dtype) or order not in ("C", "F"):
        raise pickle.UnpicklingError("an array that is not made of bytes")
    numbers = np.frombuffer(content, dtype.dtype) if content else np.zeros(0, dtype.dtype)
    return numbers.reshape(tuple(map(_count, shape)), order=order)


def _count(number: Any) -> int:
    if type(number) is not int or number < 0:
        raise pickle.UnpicklingError(f"a size of {number!r}")
    return number


def _encoded(text: Any, encoding: Any) -> bytes:
    if not isinstance(text, str) or encoding != "latin1":
        raise pickle.UnpicklingError("bytes of another encoding than latin1")
    return text.encode("latin1")


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: object) -> np.ndarray:
    """Build PyTorch's tensor as an array: `size` numbers from `offset` on, `stride` numbers apart."""
    size, stride, offset = tuple(map(_count, size)), tuple(map(_count, stride)), _count(offset)
    needed = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
    count = math.prod(size)
    if not isinstance(storage, np.ndarray) or max(count, needed if count else 0) > len(storage):
        raise pickle.UnpicklingError("a tensor that reaches beyond its numbers")
    if not count:
        return np.zeros(size, storage.dtype)
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps).copy()


def _not_called(*_: object) -> None:
    raise pickle.UnpicklingError("numpy.ndarray called, which no array needs")


# Names in the pickle of an array, of NumPy 1 and 2, of PyTorch, and of protocols 2 to 5.
_NAMED: dict[tuple[str, str], Callable] = {
    ("numpy", "ndarray"): _not_called,  # only named, as what `_reconstruct` makes
    ("numpy", "dtype"): _Dtype,
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encoded,
    ("collections", "OrderedDict"): lambda: OrderedDict(),
    ("__builtin__", "bytes"): lambda: b"",
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
}
_CALLS = {name: _Call(function) for name, function in _NAMED.items()}
