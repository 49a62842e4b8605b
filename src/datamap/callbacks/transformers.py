"""Record trainings by Hugging Face's `transformers.Trainer(…, callbacks=[DataMapCallback()])`, TRL's included."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch.utils.data import DataLoader, Subset
from transformers import TrainerCallback, TrainingArguments

from datamap.callbacks.generation import GenerationObserver
from datamap.callbacks.host_copies import HostCopies
from datamap.callbacks.observed_rows import Rows
from datamap.callbacks.preferences import PreferenceObserver
from datamap.callbacks.trainer import TrainerRecording
from datamap.schema import Task


class DataMapCallback(TrainerRecording, TrainerCallback):
    """Record the training samples after each epoch, or every so many steps, without an effect on training.

    The Trainer removes the columns of a `datasets.Dataset` that the model does not know, `id` among them: pass
    `ids=dataset["id"]` or remove_unused_columns=False, or the ids are row numbers from 0. When training raises, the run
    ends as FAILED at the end of the process, at the next training, or at once in `with DataMapCallback() as callback:`.
    """

    sources = {
        **TrainerRecording.sources,
        Task.GENERATION: GenerationObserver,
        Task.SCORES: PreferenceObserver,
    }

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

    def batches(
        self, rows: Rows, part: range, loader: DataLoader, args: TrainingArguments
    ) -> Iterator[dict[str, Any]]:
        """Yield batches of a part of the rows, in their order and on the model's device."""
        some: Any = Subset(rows, part)  # it has a length and rows
        batches = DataLoader(
            some,
            batch_size=self.batch_size(args),
            collate_fn=loader.collate_fn,
            num_workers=args.dataloader_num_workers,
            pin_memory=args.device.type == "cuda",
            generator=torch.Generator(),  # its own generator leaves the training's random state as it is
        )
        for batch in batches:
            known = isinstance(batch, Mapping)
            yield {name: _on(args.device, value) for name, value in batch.items()} if known else batch

    def on_host(self, results: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """Yield results of forward passes on the host; they are copied while the device computes the next ones."""
        copies = HostCopies()
        for result in results:
            yield from copies.start(result)
        yield from copies.finish()


def _on(device, value):
    return value.to(device, non_blocking=True) if isinstance(value, torch.Tensor) else value
