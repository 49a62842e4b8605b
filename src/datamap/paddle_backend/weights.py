"""Weights from a model folder's files, without running what is in them.

`.pdparams` and `.bin` are pickles, and a pickle is a program: unpickled as it is, it can call anything.
Here it can call only what puts arrays together.
"""

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from datamap.errors import ModelError

SAFE, SAFE_INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("model_state.pdparams", "pytorch_model.bin")

# What the pickle of an array calls, of NumPy 1 and 2 and of protocols 2 to 5.
_NUMPY = {
    ("numpy", "ndarray"), ("numpy", "dtype"), ("_codecs", "encode"), ("collections", "OrderedDict"),
    ("numpy.core.multiarray", "_reconstruct"), ("numpy._core.multiarray", "_reconstruct"),
    ("numpy.core.numeric", "_frombuffer"), ("numpy._core.numeric", "_frombuffer"),
}  # fmt: skip
_TORCH_TYPES = {
    "DoubleStorage": "<f8", "FloatStorage": "<f4", "HalfStorage": "<f2", "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1", "ByteStorage": "u1",
    "BoolStorage": "?",
}  # fmt: skip


def find(folder: Path) -> list[Path]:
    """The files that a folder's weights are read from: safetensors where there are any, else a pickle.

    Raises:
        ModelError: there are none, or the index of a split file names something else than its parts.
    """
    if (folder / SAFE_INDEX).is_file():
        return [folder / name for name in _parts(folder / SAFE_INDEX)]
    for name in (SAFE, *PICKLES):
        if (folder / name).is_file():
            return [folder / name]
    there = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
    raise ModelError(
        f"model.name_or_path={folder}: no weights in the folder ({' or '.join((SAFE, *PICKLES))}); it holds {there}"
    )


def _parts(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(f"{index} is damaged: it does not say which files hold the weights") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise ModelError(f"{index}: {name!r} is not a .safetensors file of that folder")
    return names


def read(files: list[Path], trust_pickle: bool = False) -> dict[str, np.ndarray]:
    """The arrays of weight files by name, as they are stored; halves of floats as float32.

    Args:
        files: what `find` gives.
        trust_pickle: let a pickle call whatever it wants to.
    Raises:
        ModelError: a file is damaged, or a pickle that would call something.
    """
    arrays: dict[str, np.ndarray] = {}
    for file in files:
        try:
            found = _safetensors(file) if file.suffix == ".safetensors" else _pickled(file, trust_pickle)
        except ModelError:
            raise
        except Exception as error:  # a damaged file can make these libraries raise nearly anything
            raise ModelError(f"{file} cannot be read: {type(error).__name__}: {error}") from error
        arrays |= found
    return {name: _as_float32(array) for name, array in arrays.items()}


def _as_float32(array):
    return array.astype(np.float32) if array.dtype.name in ("float16", "bfloat16") else array


def _safetensors(file):
    with safetensors.safe_open(file, framework="np") as content:
        if not any(content.get_slice(name).get_dtype() == "BF16" for name in content.keys()):  # noqa: SIM118
            return {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118
    from paddlenlp.utils.safetensors import fast_load_file  # NumPy itself has no bfloat16

    return fast_load_file(str(file))


def _pickled(file: Path, trusted: bool) -> dict[str, np.ndarray]:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as parts:
            found = _Unpickler(parts.read(_program_of(parts)), file, trusted, parts).load()
    else:
        found = _Unpickler(file.read_bytes(), file, trusted).load()
    if isinstance(found, dict):
        found.pop("StructuredToParameterName@@", None)  # of paddle.save: names that it gives parameters
    if not isinstance(found, dict) or not all(
        isinstance(name, str) and isinstance(value, np.ndarray) for name, value in found.items()
    ):
        raise ModelError(f"{file} does not hold arrays by name; save the model as safetensors")
    return found


def _program_of(parts):
    return next(name for name in parts.namelist() if name.endswith("data.pkl"))


class _Unpickler(pickle.Unpickler):
    """Puts arrays together, and calls nothing else: those of NumPy, and PyTorch's of a zip file's parts."""

    def __init__(
        self, program: bytes, file: Path, trusted: bool, parts: zipfile.ZipFile | None = None
    ) -> None:
        super().__init__(io.BytesIO(program), encoding="latin1")
        self.file, self.trusted, self.parts = file, trusted, parts
        self.storages: dict[str, np.ndarray] = {}

    def find_class(self, module: str, name: str) -> Any:
        """What the pickle may call by this name.

        Raises:
            ModelError: nothing, unless it is trusted.
        """
        if module == "torch" and name in _TORCH_TYPES:
            return _TORCH_TYPES[name]
        if module == "torch._utils" and name in _TORCH_BUILDERS:
            return _TORCH_BUILDERS[name]
        if (module, name) in _NUMPY or self.trusted:
            return super().find_class(module, name)
        raise ModelError(
            f"{self.file}: not loaded, because this pickle would call {module}.{name}, which no weights need: "
            "it may be hostile. Get the model as safetensors; model.trust_pickle=true loads it all the same"
        )

    def persistent_load(self, pid: Any) -> np.ndarray:
        """The numbers that PyTorch keeps beside the pickle, in a file of the zip."""
        _, dtype, key, _, count = pid
        if key not in self.storages:
            if self.parts is None:
                raise pickle.UnpicklingError("numbers of another file")
            folder = _program_of(self.parts).removesuffix("data.pkl")
            content = self.parts.read(f"{folder}data/{key}")
            if dtype == "bfloat16":
                import ml_dtypes  # of Paddle

                dtype = ml_dtypes.bfloat16
            self.storages[key] = np.frombuffer(content, dtype, count)
        return self.storages[key]


def _tensor(storage, offset, size, stride, *_):
    """PyTorch's tensor as an array: `size` numbers from `offset` on, `stride` numbers apart."""
    needed = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) + 1
    if not np.prod(size, dtype=np.int64):
        return np.zeros(size, storage.dtype)
    if offset < 0 or min(stride, default=0) < 0 or min(size, default=1) < 0 or needed > len(storage):
        raise pickle.UnpicklingError("a tensor that reaches beyond its numbers")
    steps = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, steps).copy()


def _parameter(data, *_):
    return data


_TORCH_BUILDERS: dict[str, Callable] = {
    "_rebuild_tensor": _tensor,
    "_rebuild_tensor_v2": _tensor,
    "_rebuild_parameter": _parameter,
}


# PyTorch's name of a layer's part → Paddle's, for BERT, ERNIE and RoBERTa.
_PARTS = {
    "attention.self.query": "self_attn.q_proj",
    "attention.self.key": "self_attn.k_proj",
    "attention.self.value": "self_attn.v_proj",
    "attention.output.dense": "self_attn.out_proj",
    "attention.output.LayerNorm": "norm1",
    "intermediate.dense": "linear1",
    "output.dense": "linear2",
    "output.LayerNorm": "norm2",
}
_TRANSPOSED = (*_PARTS, "pooler.dense", "classifier", "classifier.dense", "classifier.out_proj")


def are_of_torch(arrays: dict[str, np.ndarray]) -> bool:
    """Whether weights have PyTorch's names, as in Hugging Face's folders, and not Paddle's."""
    return any(".layer." in f".{name}" for name in arrays)


def from_torch(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Weights of BERT, ERNIE or RoBERTa with Paddle's names; linear layers transposed, as Paddle has them."""
    renamed = {}
    for name, array in arrays.items():
        layer, _, kind = name.rpartition(".")
        kind = {"gamma": "weight", "beta": "bias"}.get(kind, kind)  # of TensorFlow's first checkpoints
        before, found, inside = layer.partition("encoder.layer.")
        number, _, part = inside.partition(".")
        end = part if found else layer.partition(".")[2] if layer.startswith(_PREFIXES) else layer
        if kind == "weight" and end in _TRANSPOSED:
            array = np.ascontiguousarray(array.T)
        if found:
            layer = f"{before}encoder.layers.{number}.{_PARTS.get(part, part)}"
        renamed[f"{layer.replace('embeddings.LayerNorm', 'embeddings.layer_norm')}.{kind}"] = array
    return renamed


_PREFIXES = ("bert.", "ernie.", "roberta.")
