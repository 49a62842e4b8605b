"""Record trainings by PaddleNLP's `paddlenlp.trainer.Trainer(…, callbacks=[DataMapCallback()])`."""

from paddlenlp.trainer import TrainerCallback

from datamap.callbacks.paddle_recording import PaddleRecording


class DataMapCallback(PaddleRecording, TrainerCallback):
    """Record the training samples after each epoch, or every so many steps, without an effect on training.

    When training raises, the run ends as FAILED at the end of the process, at the next training, or at once in
    `with DataMapCallback() as callback:`.
    """
