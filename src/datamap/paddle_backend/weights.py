"""Read weights from the files of a model folder, without running code in them.

`.pdparams` and `.bin` files are pickles, which `pickles` reads.
"""

import json
from pathlib import Path

import numpy as np
import safetensors

from datamap.errors import ModelError
from datamap.paddle_backend import pickles

SAFE, SAFE_INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("model_state.pdparams", "pytorch_model.bin")


def find_files(folder: Path) -> list[Path]:
    """Find the files that hold a folder's weights: safetensors if there are any, else a pickle.

    Raises:
        ModelError: the folder has no weights, or an index names files that are not its parts.
    """
    if (folder / SAFE_INDEX).is_file():
        return [folder / name for name in _parts(folder / SAFE_INDEX)]
    for name in (SAFE, *PICKLES):
        if (folder / name).is_file():
            return [folder / name]
    there = ", ".join(sorted(path.name for path in folder.iterdir())) or "nothing"
    raise ModelError(
        f"model.name_or_path={folder}: the folder has no weights ({' or '.join((SAFE, *PICKLES))}); it holds {there}"
    )


def _parts(index: Path) -> list[str]:
    try:
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise ModelError(f"{index} is damaged: it does not name the files that hold the weights") from error
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or not name.endswith(".safetensors"):
            raise ModelError(f"{index}: {name!r} is not a .safetensors file of that folder")
    return names


def read(files: list[Path], trust_pickle: bool = False) -> dict[str, np.ndarray]:
    """Read the arrays of weight files by name, half-precision floats as float32.

    Args:
        files: the result of `find_files`.
        trust_pickle: allow a pickle to call any function.

    Raises:
        ModelError: a file is damaged, or a pickle would call a function that no weights need.
    """
    arrays: dict[str, np.ndarray] = {}
    for file in files:
        try:
            found = _safetensors(file) if file.suffix == ".safetensors" else pickles.read(file, trust_pickle)
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


# PyTorch's name of a layer's part → Paddle's name, for BERT, ERNIE and RoBERTa.
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


def have_torch_names(arrays: dict[str, np.ndarray]) -> bool:
    """Tell whether weights have PyTorch's names, as in Hugging Face folders, instead of Paddle's."""
    return any(".layer." in f".{name}" for name in arrays)


def from_torch(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Rename weights of BERT, ERNIE or RoBERTa to Paddle's names, and transpose linear layers to Paddle's layout."""
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
