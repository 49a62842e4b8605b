"""Record trainings by Hugging Face's `transformers.Trainer(…, callbacks=[DataMapCallback()])`."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader
from transformers import TrainerCallback, TrainingArguments

from datamap.callbacks.trainer import EpochRecording


class DataMapCallback(EpochRecording, TrainerCallback):
    """Record every training sample after each epoch, in evaluation mode, without an effect on training.

    The Trainer removes the columns of a `datasets.Dataset` that the model does not know, `id` among them: pass
    `ids=dataset["id"]`, or the ids are row numbers from 0. When training raises, the run ends as FAILED at the end of
    the process, at the next training, or at once in `with DataMapCallback() as callback: …`.
    """

    @contextlib.contextmanager
    def inference(self) -> Iterator[None]:
        """Compute no gradients, and leave random numbers as they were."""
        devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
        with torch.no_grad(), torch.random.fork_rng(devices):
            yield

    def modules(self, model: torch.nn.Module) -> Iterator[torch.nn.Module]:
        """Return the model and all its modules, the model first."""
        return model.modules()

    def after(self, module: torch.nn.Module, function: Callable[[Any], Any]) -> Any:
        """Call a function with each output of a module, until `remove()` of the result is called."""
        return module.register_forward_hook(lambda module, given, output: function(output))

    def batch_size(self, args: TrainingArguments) -> int:
        """Return the batch size that the Trainer uses for evaluation."""
        return args.eval_batch_size

    def batches(self, loader: DataLoader, args: TrainingArguments) -> Iterator[dict[str, Any]]:
        """Yield batches of a training loader's dataset, in the dataset's order and on the model's device."""
        batches = DataLoader(
            loader.dataset,
            batch_size=self.batch_size(args),
            collate_fn=loader.collate_fn,
            num_workers=args.dataloader_num_workers,
            generator=torch.Generator(),  # its own generator leaves the training's random state as it is
        )
        for batch in batches:
            known = isinstance(batch, Mapping)
            yield {name: _on(args.device, value) for name, value in batch.items()} if known else batch


def _on(device, value):
    return value.to(device) if isinstance(value, torch.Tensor) else value
