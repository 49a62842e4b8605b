"""Tell which sample each sequence of a row is: rows may be packed, which loses their ids."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from datamap.errors import ConfigError
from datamap.recording.metadata import Metadata

Sequences = list[tuple[Any, Any]]  # (tokens, labels) of each sequence in a row


def refuse_pieces(args: Any) -> None:
    """Raise ConfigError if packing cuts samples into pieces."""
    if getattr(args, "packing_strategy", "bfd") != "bfd":
        raise ConfigError(
            f"packing_strategy={args.packing_strategy!r} cuts samples into pieces: use 'bfd', or packing=False"
        )


def ids_by_tokens(
    rows: Iterable[Sequences], args: Any, metadata: Metadata, tokenizer: Any
) -> list[list[Any | None]]:
    """Return the ids of the sequences in each row, None for one without a target.

    Packing drops ids and changes the order of samples, and trainers shuffle rows and leave some out. So a sequence is
    the sample of `samples=` whose texts have the same tokens.

    Args:
        rows: the sequences of all rows, in every process: two samples may have the same texts.
        args: the Trainer's arguments.
        metadata: the rows of the training file.
        tokenizer: the Trainer's tokenizer.

    Raises:
        ConfigError: the ids cannot be told.
    """
    known = _ids_by_tokens(metadata, tokenizer, args)
    return [[_id_of(one, known) for one in sequences] for sequences in rows]


def has_target(sequence: tuple[Any, Any]) -> bool:
    """Tell whether a sequence has a token that the model learns to generate."""
    return bool((sequence[1][1:] != -100).any())


def _id_of(sequence, known):
    tokens = tuple(sequence[0].tolist())
    if not known[tokens]:
        raise ConfigError(
            "a packed sequence is not among samples=: give the rows of the training file, "
            "with the same tokenizer and chat template, or use packing=False"
        )
    name = known[tokens].pop(0)
    return name if has_target(sequence) else None


def _ids_by_tokens(metadata, tokenizer, args):
    """Return {tokens of a sample: [ids of the samples that have them]}, cut as packing cuts them."""
    samples = metadata.samples
    if samples is None:
        raise ConfigError(
            "rows are packed, which drops ids: give samples=, the rows of the training file, or use packing=False"
        )
    if tokenizer is None:
        raise ConfigError(
            "rows are packed, and finding their ids needs a tokenizer: give the Trainer processing_class="
        )
    most = getattr(args, "max_length", None)
    found: dict[tuple, list] = defaultdict(list)
    rows = [json.loads(line) for line in samples.lines.splitlines()]
    for name, row in zip(samples.table["id"].tolist(), rows, strict=True):
        tokens = _tokens(row, tokenizer)
        ended = [*tokens, tokenizer.eos_token_id]
        for cut in {tuple(tokens[:most]), tuple(ended[:most])}:
            found[cut].append(name)
    return found


def _tokens(row: Mapping[str, Any], tokenizer: Any) -> list[int]:
    """Return the tokens of a sample, as trainers make them of its prompt and completion, messages or text."""
    whole = row.get("messages") or _joined(row.get("prompt"), row.get("completion")) or row.get("text") or ""
    if isinstance(whole, str):
        return tokenizer(whole)["input_ids"]
    tokens = tokenizer.apply_chat_template(list(whole), tokenize=True)
    return list(tokens["input_ids"] if isinstance(tokens, Mapping) else tokens)


def _joined(prompt: str | Sequence | None, completion: str | Sequence | None) -> Any:
    return None if prompt is None or completion is None else prompt + completion  # type: ignore[operator]
