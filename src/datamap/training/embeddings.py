"""Log the texts' embeddings by the pretrained encoder before the first step, when it has seen no label."""

from functools import partial

from datamap import schema
from datamap.errors import SignalError
from datamap.log import say
from datamap.schema import Task
from datamap.signals import embeddings
from datamap.tracking.failures import retrying
from datamap.tracking.run import Run
from datamap.training import bars
from datamap.training.preparation import PreparedTraining


def log_embeddings(training: PreparedTraining, run: Run, timeout: float) -> None:
    """Log the mean outputs of a pretrained encoder for every sample, in the time of one evaluation pass.

    The two texts of a pair are encoded apart, since only then can a simple model compare them. Nothing is done for a
    model from scratch, which knows nothing yet; for a resumed training, whose model has seen labels; for tokens,
    which the embedding of their sentence does not tell apart; and with `log_text=false`, because texts can be guessed
    from their embeddings.

    Args:
        training: the prepared training, before its first step.
        run: run to log into.
        timeout: seconds for which the store is retried.
    """
    config, samples = training.config, training.data.samples
    begins = config.model.name_or_path and config.log_text and not training.checkpoint
    if not begins or samples.task is Task.TOKENS or run.has(schema.EMBEDDINGS_FILE):
        return
    columns = [samples.texts_a, *([samples.texts_b] if samples.texts_b else [])]
    try:
        embeddings.refuse_large(len(samples), len(columns) * training.trainer.width)
        parts = [training.trainer.mean_outputs(texts, bars.observed_batches) for texts in columns]
        found = embeddings.checked_parts(samples.ids, parts, "the encoder")
    except SignalError as error:  # too large, or beyond half precision: training need not end for that
        say("note: no embeddings are logged: {error}", error=error)
        return
    retrying(partial(run.log_bytes, embeddings.encode(found), schema.EMBEDDINGS_FILE), timeout)
