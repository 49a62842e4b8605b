"""Observe classification: the label and the logits of each sample."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from datamap.callbacks.encoder import encoder_of, mean_outputs
from datamap.callbacks.framework import unwrapped
from datamap.callbacks.observer import SampleObserver
from datamap.callbacks.rows import collated_rows, labels_of
from datamap.callbacks.trainer_arguments import label_name
from datamap.errors import SignalError, first_few
from datamap.recording.recorder import SignalRecorder
from datamap.signals import embeddings
from datamap.signals.compute import classes_of, id_array, refuse, signal_table

FIRST_BATCH = "the first batch of the training dataset"


class ClassificationObserver(SampleObserver):
    """Observe the label and the logits of each sample."""

    @property
    def passes(self) -> int:
        """Return the number of batches of this process."""
        return sum(1 for ids in self._ids if ids)

    def _batches(self) -> Iterator[Any]:
        return self.framework.batches(self.rows, self.part, self.loader, self.args)

    def check_rows(self) -> None:
        """Learn which ids and labels each batch has; the collator may leave rows out or reorder them."""
        found = list(
            collated_rows(self.rows, self.part, self.loader.collate_fn, self.size, label_name(self.args))
        )
        self._ids = [self.rows.ids.take(pa.array(rows)).to_pylist() for rows, _ in found]
        self._labels = [labels for _, labels in found]
        ids = [name for batch in self._ids for name in batch]
        if ids:
            self.metadata.rows("the training dataset", id_array(ids, "ids"), np.concatenate(self._labels))

    def check_model(self, model: Any) -> None:
        """Refuse labels, logits and class names that do not fit together."""
        where, batches = FIRST_BATCH, zip(self._ids, self._batches(), strict=False)
        ids, first = next(((ids, batch) for ids, batch in batches if ids), (None, None))
        if first is None:
            self.idle(model)
            return
        labels, logits = self._run(model, first)
        table = signal_table(ids, labels, logits=logits, where=where)
        self.metadata.check_classes(where, table)
        for ids, labels in zip(self._ids, self._labels, strict=True):
            wrong = (labels < 0) | (labels >= classes_of(table)[0])
            refuse(
                wrong, np.array(ids), f"the training dataset: label is not in 0..{classes_of(table)[0] - 1}"
            )

    def _run(self, model, batch):
        """Return (labels, logits) of a batch."""
        found = labels_and_logits(model, batch, label_name(self.args))
        self.made += 1
        return found

    def outputs(self, model: Any) -> Iterator[tuple[Any, ...]]:
        """Yield (ids, labels, logits) of each batch."""
        name = label_name(self.args)
        for ids, batch in zip(self._ids, self._batches(), strict=True):
            count = len(labels_of(batch, name))
            if count != len(ids):
                raise SignalError(
                    f"the collator made a batch of {count} rows, which had {len(ids)} before training; make it leave "
                    "out the same rows each time"
                )
            if count:
                yield ids, *self._run(model, batch)

    def encoder(self, model: Any) -> Any | None:
        """Return the part of the model that its head reads; None if it has none."""
        return encoder_of(model)

    def embeddings(self, model: Any) -> tuple[list, list[np.ndarray]] | None:
        """Return (ids, the encoder's mean outputs, two for pairs) of this process's samples; None if there are none."""
        encoder, found, outputs = self.encoder(model), list[list[np.ndarray]](), list[Any]()
        pad = getattr(getattr(model, "config", None), "pad_token_id", None)
        hook, count = self.framework.after(encoder, outputs.append), sum(map(len, self._ids))
        name = label_name(self.args)
        try:
            for batch in filter(lambda batch: len(labels_of(batch, name)), self._batches()):
                outputs.clear()
                self._run(model, batch)
                means = mean_outputs(outputs[-1], batch, pad) if outputs else None
                if means is None or (found and len(means) != len(found[0])):
                    return None
                embeddings.refuse_large(count, sum(part.shape[1] for part in means))
                found.append(means)
        finally:
            hook.remove()
        ids = [value for batch in self._ids for value in batch]
        return ids, [np.concatenate(part) for part in zip(*found, strict=True)]

    def idle(self, model: Any) -> None:
        """Make a forward pass of the first batch that the collator leaves."""
        every = self.framework.batches(self.rows, range(len(self.rows)), self.loader, self.args)
        self._run(model, next(batch for batch in every if len(labels_of(batch, label_name(self.args)))))

    def record(self, recorder: SignalRecorder, *outputs: Any) -> None:
        """Record a batch of (ids, labels, logits)."""
        ids, labels, logits = outputs
        recorder.record(ids, labels, logits=logits)


def labels_and_logits(model: Any, batch: Mapping[str, Any], name: str = "labels") -> tuple[Any, Any]:
    """Return (labels, logits) of a batch, as tensors; pass the labels to the model only if it needs them.

    Raises:
        SignalError: the batch has no labels, or the model's output no logits.
    """
    labels = labels_of(batch, name)
    inputs = {key: value for key, value in batch.items() if key != name}
    parameter = inspect.signature(unwrapped(model).forward).parameters.get(name)
    needed = parameter is not None and parameter.default is parameter.empty
    output = model(**(batch if needed else inputs))
    if isinstance(output, Mapping):
        if "logits" not in output:
            raise SignalError(f"the model's output has no 'logits' (it has: {first_few(output, 10)})")
        output = output["logits"]
    elif isinstance(output, tuple | list):
        output = output[1 if needed else 0]  # a tuple is (loss, logits, …) or (logits, …)
    return labels, output
