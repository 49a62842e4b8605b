"""PaddleNLP: `paddlenlp.trainer.Trainer(…, callbacks=[DataMapCallback()])`."""

import paddle
from paddle.io import DataLoader
from paddlenlp.trainer import TrainerCallback, TrainingArguments

from datamap.callbacks.trainer import EpochRecording


class DataMapCallback(EpochRecording, TrainerCallback):
    """Records every training sample after each epoch, in evaluation mode; training goes on as without it.

    When training raises, the run ends as FAILED with the process, with the next training, or at
    once in `with DataMapCallback() as callback: …`.
    """

    def no_grad(self) -> paddle.no_grad:
        return paddle.no_grad()

    def modules(self, model: paddle.nn.Layer) -> list[paddle.nn.Layer]:
        return model.sublayers(include_self=True)

    def batch_size(self, args: TrainingArguments) -> int:
        return args.per_device_eval_batch_size

    def batches(self, loader: DataLoader, args: TrainingArguments) -> DataLoader:
        return DataLoader(loader.dataset, batch_size=self.batch_size(args), collate_fn=loader.collate_fn)
