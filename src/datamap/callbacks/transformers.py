"""Hugging Face Transformers: `Trainer(…, callbacks=[DataMapCallback()])`."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import TrainerCallback, TrainingArguments

from datamap.callbacks.trainer import EpochRecording


class DataMapCallback(EpochRecording, TrainerCallback):
    """Records every training sample after each epoch, in evaluation mode; training goes on as without it.

    The Trainer takes columns out of a `datasets.Dataset` that the model does not know, `id` among
    them: give `ids=dataset["id"]`, or samples count from 0. When training raises, the run ends as FAILED with
    the process, with the next training, or at once in `with DataMapCallback() as callback: …`.
    """

    def no_grad(self) -> torch.no_grad:
        return torch.no_grad()

    def modules(self, model: torch.nn.Module) -> Iterator[torch.nn.Module]:
        return model.modules()

    def batch_size(self, args: TrainingArguments) -> int:
        return args.eval_batch_size

    def batches(self, loader: DataLoader, args: TrainingArguments) -> Iterator[dict[str, Any]]:
        batches = DataLoader(
            loader.dataset,
            batch_size=self.batch_size(args),
            collate_fn=loader.collate_fn,
            num_workers=args.dataloader_num_workers,
            generator=torch.Generator(),  # of its own: the training's stays as it is
        )
        for batch in batches:
            yield {name: _on(args.device, value) for name, value in batch.items()}


def _on(device, value):
    return value.to(device) if isinstance(value, torch.Tensor) else value
