"""Record anybody's numbers: the margins of DPO, pass rates of RLVR, losses of regression, detection or speech."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from datamap.errors import SignalError
from datamap.schema import SUM_TOLERANCE, Task
from datamap.signals import compute, contract
from datamap.tasks.task import Definition, further_signals, numbers, truths, unlabeled_table

RIGHT_FROM = 0.5  # confidence from which on a sample counts as right, where the caller does not say which are


def table(
    ids: Any, where: str, correct_above: float, outputs: Mapping[str, Any], further: Mapping[str, Any]
) -> pa.Table | None:
    """Return the signals of a batch; None if it is empty.

    The confidence is the caller's, else exp(−loss). `correct` is the caller's, else confidence ≥ 0.5.

    Raises:
        SignalError: neither confidence nor loss is given, or a value is out of its range.
    """
    names = compute.flat_ids(ids, where)
    if not names.size:
        return None
    given = {
        name: numbers(names, outputs[name], name, where)
        for name in ("confidence", "loss", "correct")
        if name in outputs
    }
    if "confidence" not in given and "loss" not in given:
        raise SignalError(
            f"{where}: give confidence= (from 0 to 1) or loss= (confidence is exp(−loss) then), one per sample"
        )
    loss = given.get("loss", np.zeros(len(names)))
    compute.refuse(
        loss < -contract.TOLERANCE, names, f"{where}: loss is negative; give it another name, such as nll="
    )
    confidence = given.get("confidence", np.exp(-loss))
    wrong = (confidence < 0) | (confidence > 1 + SUM_TOLERANCE)
    compute.refuse(wrong, names, f"{where}: confidence is not from 0 to 1; give other numbers another name")
    confidence = np.minimum(confidence, 1)  # rounding may give 1.0000001
    right = confidence >= RIGHT_FROM
    columns = {"correct": truths(names, given["correct"], "correct", where) if "correct" in given else right}
    columns |= {"loss": loss} if "loss" in given else {}
    own = {name: values for name, values in further.items() if name != "margin"}
    columns |= {"margin": numbers(names, further["margin"], "margin", where)} if "margin" in further else {}
    columns |= {"label_probs": confidence, **further_signals(names, where, own)}
    return unlabeled_table(names, where, columns, outputs.get("noisy_labels"))


DEFINITION = Definition(
    task=Task.SCORES,
    keywords=("confidence", "correct", "loss"),
    table=table,
    correct="what the caller says, else confidence >= 0.5",
)
