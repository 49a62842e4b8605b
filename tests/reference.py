"""The slow, obvious reducer: plain Python, one sample at a time. The tests' oracle."""

import math


def reduce_sample(label, s_label, probs, correct):
    """Summary row of one sample from its list of label probabilities and of right or wrong."""
    count = len(probs)
    mean = sum(probs) / count
    forgetting, learning = [], []
    for t in range(1, count):
        if correct[t - 1] and not correct[t]:
            forgetting.append(t)
        if not correct[t - 1] and correct[t]:
            learning.append(t)
    return {
        "label": label,
        "s_label": s_label,
        "correct_times": sum(correct),
        "correct_ratio": sum(correct) / count,
        "avg_probs": mean,
        "label_var": sum((p - mean) ** 2 for p in probs) / count,
        "max_label_probs": max(probs),
        "min_label_probs": min(probs),
        "forgetting_times": len(forgetting),
        "learnt_times": len(learning),
        "first_forget": forgetting[0] if forgetting else 0,
        "first_learn": learning[0] if learning else 0,
    }


def reduce_records(observations):
    """Summary {id: row} of a list of observations, each a list of signal records."""
    histories = {}
    for records in observations:
        for record in records:
            histories.setdefault(record["id"], []).append(record)
    return {
        key: reduce_sample(
            records[0]["label"],
            records[0].get("noisy_label", 0),
            [record["label_probs"] for record in records],
            [record["correct"] for record in records],
        )
        for key, records in histories.items()
    }


def reduce_probs(probs, label, first):
    """Compute what needs all classes, of one sample: `probs` is a list of T lists, `first` EL2N's number."""
    count, classes = len(probs), range(len(probs[0]))
    others = [max(p[k] for k in classes if k != label) for p in probs]
    errors = [math.sqrt(sum((p[k] - (k == label)) ** 2 for k in classes)) for p in probs]

    def log(p):
        return math.log(max(p, 1e-7))

    return {
        "aleatoric": sum(p[label] * (1 - p[label]) for p in probs) / count,
        "el2n": sum(errors[:first]) / len(errors[:first]),
        "margin_mean": sum(log(p[label]) - log(o) for p, o in zip(probs, others, strict=True)) / count,
        "entropy_mean": sum(-sum(p[k] * log(p[k]) for k in classes) for p in probs) / count,
    }


def auroc(scores, positive):
    """Return how often a positive sample has a higher score than a negative one; a tie is half a win (Mann-Whitney)."""
    hits = [score for score, is_positive in zip(scores, positive, strict=True) if is_positive]
    misses = [score for score, is_positive in zip(scores, positive, strict=True) if not is_positive]
    return sum((h > m) + (h == m) / 2 for h in hits for m in misses) / (len(hits) * len(misses))


def average_precision(scores, positive):
    """Mean over the positive samples of the precision among all of at least their score."""
    pairs = list(zip(scores, positive, strict=True))
    precisions = []
    for score, is_positive in pairs:
        if is_positive:
            above = [p for s, p in pairs if s >= score]
            precisions.append(sum(above) / len(above))
    return sum(precisions) / len(precisions)


def spearman(a, b):
    """Pearson's correlation of the ranks, where equal values share their mean rank."""

    def ranks(values):
        return [sum(v < w for v in values) + (sum(v == w for v in values) - 1) / 2 for w in values]

    x, y = ranks(a), ranks(b)
    mean = (len(x) - 1) / 2
    covariance = sum((p - mean) * (q - mean) for p, q in zip(x, y, strict=True))
    return covariance / math.sqrt(sum((p - mean) ** 2 for p in x) * sum((q - mean) ** 2 for q in y))
