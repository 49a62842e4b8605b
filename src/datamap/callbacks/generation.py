"""Observe generation (SFT): a causal language model's predictions of each sample's target tokens."""

import contextlib
import inspect
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from datamap.callbacks.observer import SampleObserver
from datamap.callbacks.packing import has_target, ids_by_tokens, refuse_pieces
from datamap.errors import ConfigError, SignalError, first_few
from datamap.recording.recorder import SignalRecorder
from datamap.tasks.generation import IGNORED

TokenSequence = tuple[torch.Tensor, torch.Tensor]  # tokens, labels
MAX_LOGITS = 1 << 25  # logits that are held at once: 128 MB as float32
TEXT_KEYS = {
    "input_ids", "attention_mask", "labels", "position_ids", "seq_lengths", "token_type_ids", "cu_seq_lens_q",
    "cu_seq_lens_k", "max_length_q", "max_length_k", "seq_idx", "completion_mask", "assistant_masks",
}  # fmt: skip


class GenerationObserver(SampleObserver):
    """Observe log-probability, rank and margin of each target token, a batch of sequences per forward pass.

    Sequences that are packed into one row are observed each by itself.
    """

    @property
    def passes(self) -> int:
        """Return the number of batches of this process's sequences."""
        return -(-len(self._mine) // self.size)

    def check_rows(self) -> None:
        """Learn the ids of this process's sequences."""
        packed = self._is_packed()
        self._mine = self._packed() if packed else self._rows()  # (row, place in the row, id) of each
        self.refuse_strangers([name for _, _, name in self._mine])

    def check_model(self, model: Any) -> None:
        """Learn whether logits can be computed in chunks of tokens."""
        if getattr(getattr(model, "config", None), "is_encoder_decoder", False):
            raise ConfigError(
                "this callback records task='generation' only of causal models; use datamap.SignalRecorder in your "
                "own loop"
            )
        self._chunked = False
        self._chunked = self._agrees(model)

    def _is_packed(self):
        """Tell whether a row has several sequences; all processes look at all rows, if their batches tell lengths."""
        if getattr(self.args, "packing", False):
            refuse_pieces(self.args)
            return True
        if self._parts(0)[2] is None:
            return False
        return any(len(self._sequences(row)) > 1 for row in range(len(self.rows)))

    def _rows(self):
        """Return what `check_rows` learns of rows that are one sequence each.

        A row without an id is the sample of `samples=` with its tokens, if all rows are found there.
        """
        ids = self.rows.ids.to_pylist()
        if self.rows.numbered and self.metadata.samples is not None:
            with contextlib.suppress(ConfigError):
                ids = [name for (name,) in self._by_tokens()]
                self.by_row = False
        return [
            (row, 0, ids[row])
            for row in self.part
            if ids[row] is not None and has_target(self._sequences(row)[0])
        ]

    def _packed(self):
        """Return what `check_rows` learns of packed rows; samples are drawn, and divided among processes, not rows."""
        self.by_row = False
        self.rows.take_all()
        found = self._by_tokens()
        names = {name for row in found for name in row}
        assert self.metadata.table is not None
        ordered = [name for name in self.metadata.table["id"].tolist() if name in names]
        kept = {ordered[place] for place in self.rows.drawn(len(ordered))}
        self.observed = len(kept), len(ordered)
        every = [
            (row, place, name)
            for row, ids in enumerate(found)
            for place, name in enumerate(ids)
            if name in kept
        ]
        batches = self.processes.rows(-(-len(every) // self.size))
        return every[batches.start * self.size : batches.stop * self.size]

    def _by_tokens(self):
        rows = (self._sequences(row) for row in range(len(self.rows)))
        return ids_by_tokens(rows, self.args, self.metadata, self.tokenizer)

    def _parts(self, row: int) -> tuple[torch.Tensor, torch.Tensor, Any]:
        """Return a row's tokens and labels, as the training's collator makes them, and the lengths of its sequences.

        The lengths are None where nothing tells them.
        """
        given = self.rows[row]
        batch = self.loader.collate_fn([given])
        if not isinstance(batch, Mapping):
            raise SignalError(
                f"a batch is a {type(batch).__name__} without targets, as in GRPO; record pass rates by "
                "datamap.SignalRecorder(task='scores')"
            )
        if set(batch) - TEXT_KEYS or not {"input_ids", "labels"} <= set(batch):
            raise SignalError(
                f"a batch has {first_few(sorted(batch), 10)}; task='generation' needs the input_ids and labels of texts"
            )
        tokens, labels = batch["input_ids"].reshape(-1), batch["labels"].reshape(-1)
        if len(tokens) != len(labels):
            raise SignalError(
                f"a row has {len(tokens)} input_ids and {len(labels)} labels; task='generation' needs one label per "
                "token"
            )
        mask = batch.get("attention_mask")
        if mask is not None and mask.numel() == tokens.numel():
            kept = mask.reshape(-1) != 0
            tokens, labels = tokens[kept], labels[kept]
        lengths = given.get("seq_lengths") if hasattr(given, "get") else None
        if lengths is None and "position_ids" in batch:
            starts = (batch["position_ids"].reshape(-1)[: len(tokens)] == 0).nonzero().reshape(-1).tolist()
            lengths = [end - start for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True)]
        return tokens, labels, lengths

    def _sequences(self, row: int) -> list[TokenSequence]:
        """Return (tokens, labels) of each sequence in a row."""
        tokens, labels, lengths = self._parts(row)
        if lengths is None:
            return [(tokens, labels)]
        lengths = [int(length) for length in lengths]
        used = sum(lengths)
        return list(zip(tokens[:used].split(lengths), labels[:used].split(lengths), strict=True))

    def _pending(self) -> Iterator[tuple[Any, torch.Tensor, torch.Tensor]]:
        """Yield (id, tokens, labels) of each sequence of this process."""
        for row, places in itertools.groupby(self._mine, lambda found: found[0]):
            sequences = self._sequences(row)
            for _, place, name in places:
                yield name, *sequences[place]

    def outputs(self, model: Any) -> Iterator[tuple[Any, ...]]:
        """Yield (ids, target tokens of each, their log-probabilities, ranks and margins) of each batch."""
        batch = []
        for sequence in self._pending():
            batch.append(sequence)
            if len(batch) == self.size:
                yield self._forward(model, batch)
                batch = []
        if batch:
            yield self._forward(model, batch)

    def idle(self, model: Any) -> None:
        """Make a forward pass of one token."""
        self._forward(model, [(0, torch.zeros(2, dtype=torch.long), torch.zeros(2, dtype=torch.long))])

    def record(self, recorder: SignalRecorder, *outputs: Any) -> None:
        """Record a batch of what `outputs` yields."""
        ids, counts, signals = outputs
        log_probs, right, margins = (part.split(counts) for part in signals)
        recorder.record(
            ids,
            token_logprobs=[part.numpy() for part in log_probs],
            token_correct=[part.numpy() > 0 for part in right],
            token_margins=[part.numpy() for part in margins],
        )

    def _forward(self, model, batch):
        """Return (ids, numbers of target tokens, float32 (3, target tokens)) of a batch."""
        ids = [name for name, _, _ in batch]
        tokens = torch.nn.utils.rnn.pad_sequence([part for _, part, _ in batch], batch_first=True)
        labels = torch.nn.utils.rnn.pad_sequence([part for _, _, part in batch], True, IGNORED)
        mask = torch.nn.utils.rnn.pad_sequence([torch.ones_like(part) for _, part, _ in batch], True)
        targets = labels[:, 1:] != IGNORED  # the token before predicts each target
        counts = targets.sum(1).tolist()
        # All that needs to wait for a number is computed before the device is asked for anything.
        places = (targets.nonzero() * torch.tensor([tokens.shape[1], 1])).sum(1)
        wanted = labels[:, 1:][targets]
        on = self.args.device
        inputs = {"input_ids": _sent(tokens, on), "attention_mask": _sent(mask, on)}
        hidden, head = self._hidden(model, inputs)
        self.made += 1
        return ids, counts, token_signals(hidden, _sent(places, on), _sent(wanted, on), head)

    def _hidden(self, model, inputs):
        """Return the last layer's output for each token, (tokens, width), and the function that makes logits of it."""
        if not self._chunked:
            logits = model(**inputs, **_options(model)).logits
            return logits.flatten(0, 1), lambda part: part
        hidden, _ = _decoded(model, inputs)
        return hidden.flatten(0, 1), _head(model)

    def _agrees(self, model: Any) -> bool:
        """Tell whether the model's logits are what its last layer gives: some models scale or cap them.

        Where they are not, the model computes all logits of a batch.
        """
        row = self._mine[0][0] if self._mine else 0
        tokens = self._sequences(row)[0][0][None, :64]
        inputs = {"input_ids": _sent(tokens, self.args.device)}
        try:
            config = _base(model).config
            if getattr(config, "final_logit_softcapping", None) or "logits_to_keep" not in _parameters(model):
                raise AttributeError
            hidden, logits = _decoded(model, inputs)
            ours = _head(model)(hidden[:, -1])
            return bool(torch.allclose(ours.float(), logits[:, -1].float(), rtol=0.02, atol=0.02))
        # Of another architecture, or where parameters are sharded.
        except (AttributeError, RuntimeError, TypeError):
            output = model(**inputs, **_options(model))
            if getattr(output, "logits", None) is None:
                raise ConfigError(
                    "the model returns no logits: task='generation' needs a causal model"
                ) from None
            return False


def token_signals(
    hidden: torch.Tensor, places: torch.Tensor, targets: torch.Tensor, head: Any
) -> torch.Tensor:
    """Compute the signals of target tokens, some tokens at a time, so that memory never holds all logits of a batch.

    Args:
        hidden: (tokens, width), the last layer's output for each token.
        places: (targets,), the rows of `hidden` that predict the target tokens.
        targets: (targets,), the target tokens.
        head: function that makes logits (some, vocabulary) of some rows of `hidden`.

    Returns:
        float32 (3, targets): ln p of each target token, 1 where it is the most probable one, and its margin.
    """
    found = []
    vocabulary = head(hidden[:1]).shape[-1]
    for part in torch.arange(len(places)).split(max(1, MAX_LOGITS // vocabulary)):
        some = slice(int(part[0]), int(part[-1]) + 1)
        logits = head(hidden.index_select(0, places[some])).float()
        wanted = targets[some, None]
        given = logits.gather(1, wanted)[:, 0]
        top = logits.argmax(1)
        log_probs = given - logits.logsumexp(1)
        others = logits.scatter(1, wanted, -torch.inf).max(1).values
        found.append(torch.stack([log_probs.clamp(max=0), (top == targets[some]).float(), given - others]))
    return torch.cat(found, 1) if found else torch.zeros(3, 0)


def _sent(tensor, device):
    return (tensor.pin_memory() if device.type == "cuda" else tensor).to(device, non_blocking=True)


def _base(model):
    return model.get_base_model() if hasattr(model, "get_base_model") else model


def _parameters(model):
    return inspect.signature(_base(model).forward).parameters


def _options(model):
    return {"use_cache": False} if "use_cache" in _parameters(model) else {}


def _head(model):
    layer = _base(model).get_output_embeddings()
    return lambda part: layer(part.to(layer.weight.dtype))


def _decoded(model, inputs):
    """Return (last hidden states, logits of the last token), by the model's own forward pass."""
    kept = {}

    def keep(module, args, output):
        kept["hidden"] = output[0]

    hook = _base(model).get_decoder().register_forward_hook(keep)
    try:
        logits = model(**inputs, **_options(model), logits_to_keep=1).logits
    finally:
        hook.remove()
    return kept["hidden"], logits
