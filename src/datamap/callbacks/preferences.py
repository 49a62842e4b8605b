"""Observe preferences (DPO): how much more the model prefers the chosen completion to the rejected one."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from datamap.callbacks.generation import GenerationObserver, TokenSequence
from datamap.callbacks.observed_rows import batches_of
from datamap.errors import ConfigError, SignalError, first_few
from datamap.recording.recorder import SignalRecorder
from datamap.tasks.generation import IGNORED

NAMES = ("chosen", "rejected")


class PreferenceObserver(GenerationObserver):
    """Observe the reward gap of each pair, β [(ln π(c) − ln π₀(c)) − (ln π(r) − ln π₀(r))], as scores.

    The reference π₀ is the model before its first step, as by default in TRL, unless the rows have the columns
    `ref_chosen_logps` and `ref_rejected_logps`. The confidence σ(gap) is the probability of the preference, −ln σ(gap)
    the loss of DPO, and a pair is right if the gap is positive (2508.04149).
    """

    def check_rows(self) -> None:
        """Refuse rows that are no pairs."""
        self._gaps: np.ndarray = np.zeros(0)  # ln π₀(c) − ln π₀(r) of each row of this process
        self._beta = float(getattr(self.args, "beta", 0.1))
        self._mine = [(row, 0, self.rows.ids[row].as_py()) for row in self.part]
        self._places = {name: place for place, (_, _, name) in enumerate(self._mine)}  # of each row's gap
        self.refuse_strangers(list(self._places))
        if self._mine:
            self._sequences(self.part.start)

    def begin(self, model: Any, resumed: bool) -> None:
        """Compute the reference's log-probabilities of each pair, before the model learns.

        Raises:
            ConfigError: training is resumed from a checkpoint, and the rows have no columns of the reference.
        """
        columns = [f"ref_{name}_logps" for name in NAMES]
        given = len(self.part) and set(columns) <= set(self.rows[self.part.start])
        if given:
            found = [[self.rows[row][column] for column in columns] for row in self.part]
            self._gaps = np.array(found, float) @ [1, -1]
        elif resumed:
            raise ConfigError(
                "a resumed DPO training needs the columns of its reference: set precompute_ref_log_probs=True"
            )
        else:
            with self.passing(model):
                results = self.framework.on_host(self.outputs(model))
                parts = [_sums(counts, signals) @ [1, -1] for _, counts, signals in results]
            self._gaps = np.concatenate(parts) if parts else self._gaps

    def _sequences(self, row: int) -> list[TokenSequence]:
        """Return the pair in a row, chosen first: tokens, and labels that are IGNORED in the prompt."""
        batch = self.loader.collate_fn([self.rows[row]])
        if (
            not {"input_ids", "completion_mask", "attention_mask"} <= set(batch)
            or len(batch["input_ids"]) != 2
        ):
            raise SignalError(
                f"a batch has {first_few(sorted(batch), 10)}; task='scores' needs the pairs of TRL's DPOTrainer"
            )
        labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, IGNORED)
        kept = batch["attention_mask"] != 0
        return [(batch["input_ids"][place][kept[place]], labels[place][kept[place]]) for place in range(2)]

    def outputs(self, model: Any) -> Iterator[tuple[Any, ...]]:
        """Yield (ids, target tokens of each completion, their signals) of each batch of pairs."""
        for rows in batches_of(range(len(self.rows)), self.part, self.size):
            pairs = [sequence for row in rows for sequence in self._sequences(row)]
            _, counts, signals = self._forward(model, [(None, *sequence) for sequence in pairs])
            yield [self.rows.ids[row].as_py() for row in rows], counts, signals

    def record(self, recorder: SignalRecorder, *outputs: Any) -> None:
        """Record a batch of what `outputs` yields."""
        ids, counts, signals = outputs
        sums = _sums(counts, signals)
        before = self._gaps[[self._places[name] for name in ids]]
        gap = self._beta * (sums @ [1, -1] - before)
        loss = np.logaddexp(0, -gap)
        recorder.record(
            ids,
            confidence=np.exp(-loss),
            correct=gap > 0,
            loss=loss,
            margin=gap,
            **{f"{name}_logprob": sums[:, place] for place, name in enumerate(NAMES)},
        )


def _sums(counts, signals):
    """Return ln p of each completion, float64 (pairs, 2)."""
    sums = [float(part.double().sum()) for part in signals[0].split(counts)]
    return np.array(sums).reshape(-1, 2)
