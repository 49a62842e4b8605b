"""Record trainings by PaddleNLP's `paddlenlp.trainer.Trainer(…, callbacks=[DataMapCallback()])`."""

import paddle
from paddle.io import DataLoader
from paddlenlp.trainer import TrainerCallback, TrainingArguments

from datamap.callbacks.trainer import EpochRecording


class DataMapCallback(EpochRecording, TrainerCallback):
    """Record every training sample after each epoch, in evaluation mode, without an effect on training.

    When training raises, the run ends as FAILED at the end of the process, at the next training, or at once in
    `with DataMapCallback() as callback: …`.
    """

    def no_grad(self) -> paddle.no_grad:
        """Return a context in which Paddle computes no gradients."""
        return paddle.no_grad()

    def modules(self, model: paddle.nn.Layer) -> list[paddle.nn.Layer]:
        """Return the model and all its layers, the model first."""
        return model.sublayers(include_self=True)

    def batch_size(self, args: TrainingArguments) -> int:
        """Return the batch size that the Trainer uses for evaluation."""
        return args.per_device_eval_batch_size

    def batches(self, loader: DataLoader, args: TrainingArguments) -> DataLoader:
        """Return batches of a training loader's dataset, in the dataset's order."""
        return DataLoader(loader.dataset, batch_size=self.batch_size(args), collate_fn=loader.collate_fn)
