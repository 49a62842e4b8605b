"""Explain the columns to people who use the explorer, in words that need no other page."""

from datamap import schema

MEANINGS = {
    **schema.SUMMARY_COLUMNS,
    **schema.FURTHER_COLUMNS,
    "label": "the given label",
    "correct_ratio": "share of the observations in which the prediction was right",
    "avg_probs": "mean probability of the given label (confidence): low = hard, or a wrong label",
    "label_var": "variance of the given label's probability over the observations: high = the model wavered",
    "variability": "standard deviation of the given label's probability: the square root of label_var",
    "max_label_probs": "highest probability of the given label",
    "min_label_probs": "lowest probability of the given label",
    "aleatoric": "mean of p (1 - p), p the given label's probability: high = never sure of either",
    "el2n": "distance of the predicted probabilities from the label, mean of the first observations: high = hard",
    "loss_mean": "mean loss: high = hard",
    "margin_mean": "mean margin of the label's log-probability over the next best (AUM): below 0 = another was higher",
    "entropy_mean": "mean entropy of the prediction: high = undecided between the classes",
    "token_prob_mean": "mean probability of the target tokens",
    "token_accuracy_mean": "share of target tokens that are the most probable ones",
    "tokens_mean": "number of target tokens",
    "pred_label": "class that the model predicts",
    "score": "probability that the label is wrong (datamap diagnose)",
    "rank": "rank in the diagnosis: 1 = first",
    "embedding_1": "position by embeddings: similar samples are near each other",
    "proposed": "label that the diagnosis proposes instead of the given one",
}

# The same columns where the number of wrong labels is unknown.
ORDERED = {
    **MEANINGS,
    "score": "how likely the label is wrong (datamap diagnose): it ranks the samples and is not a probability",
}

# The same columns of a task without classes, which has a confidence but no label that could be wrong.
UNLABELED = {
    **MEANINGS,
    "correct_ratio": "share of the observations in which the sample was right",
    "avg_probs": "mean confidence: low = hard, or wrong",
    "label_var": "variance of the confidence over the observations: high = the model wavered",
    "variability": "standard deviation of the confidence: the square root of label_var",
    "max_label_probs": "highest confidence",
    "min_label_probs": "lowest confidence",
    "aleatoric": "mean of p (1 - p), p the confidence: high = never sure of either",
    "score": "how hard or wrong the sample is (datamap diagnose): 1 = most",
}
