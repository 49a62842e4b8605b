"""Training on CPU: same seed, same signals; what it reports, and when it must stop."""

import dataclasses

import numpy as np
import pytest

from datamap import config
from datamap.data import dataset
from datamap.errors import ModelError, TrainingError
from datamap.paddle_backend import checkpoints, modeling, trainer
from datamap.paddle_backend.classifier import Classifier, first_token_only
from datamap.paddle_backend.encoding import encode
from datamap.paddle_backend.options import FitOptions

SCRATCH = config.ScratchConfig(
    layers=1, hidden_size=16, intermediate_size=16, heads=2, dropout=0.1, initializer_range=0.1
)
OPTIONS = FitOptions(
    seed=1,
    epochs=2,
    batch_size=8,
    eval_batch_size=16,
    max_length=24,
    lr=1e-3,
    warmup=0.1,
    weight_decay=0.01,
    every_steps=None,
)


@pytest.fixture
def samples(pairs_file):
    return dataset.load_samples(pairs_file, dict.fromkeys(dataset.COLUMNS, "auto"))


def scratch(samples, seed=1, **options):
    trainer.seed_weights(seed)
    architecture = dataclasses.replace(SCRATCH, **options)
    named = config.ModelConfig(
        name="tiny",
        name_or_path=None,
        max_length=24,
        lr=1e-3,
        epochs=2,
        batch_size=8,
        scratch=architecture,
    )
    return modeling.build(named, samples.texts_a + samples.texts_b, samples.class_names)


def fit(samples, options=OPTIONS, dev=None, seed=1, on_observation=None, start=None, **architecture):
    """({number: signals}, [`ObservationResult`, …]) of a training."""
    observations = []
    training = trainer.Trainer(scratch(samples, seed, **architecture), samples, options, dev=dev)
    if start:
        training.restore(start)
    training.fit(on_observation or observations.append)
    return {observed.number: observed.signals for observed in observations}, observations


class KilledError(Exception):
    """End training at a given observation."""


def checkpoint_at(samples, options, number):
    """The checkpoint of observation `number`, as it comes back from its files."""
    kept = {}

    def kill(observed):
        if observed.number == number:
            kept.update(checkpoints.files(observed.checkpoint(), slot=0))
            raise KilledError

    with pytest.raises(KilledError):
        fit(samples, options, on_observation=kill)
    return checkpoints.load(kept.get, number)[0]


def test_same_seed_same_signals_byte_for_byte(samples):
    first, second, other = fit(samples)[0], fit(samples)[0], fit(samples, OPTIONS._replace(seed=2), seed=2)[0]
    assert list(first) == [1, 2]
    for number in first:
        assert first[number].equals(second[number])
        assert not first[number].equals(other[number])


def test_observations_are_in_the_samples_order_and_learn(samples):
    tables, reports = fit(samples, OPTIONS._replace(epochs=30, lr=5e-3), dev=samples)
    assert tables[30]["id"].to_pylist() == samples.ids
    assert tables[30]["label"].to_pylist() == samples.labels.tolist()
    assert reports[-1].metrics["train/accuracy"] > reports[0].metrics["train/accuracy"]
    assert reports[-1].metrics["train/accuracy"] == pytest.approx(reports[-1].metrics["validation/accuracy"])
    assert reports[-1].metrics["train/loss"] == pytest.approx(
        reports[-1].metrics["validation/loss"], rel=1e-5
    )
    assert reports[-1].metrics["train/accuracy"] == np.mean(tables[30]["correct"].to_pylist())


def test_observation_does_not_disturb_training(samples):
    """Dropout is off while observing, and its random numbers are not used up."""
    rare = fit(samples, OPTIONS)[0]
    often = fit(samples, OPTIONS._replace(every_steps=1))[0]
    assert list(often) == list(range(1, 11))  # 36 samples: 5 steps an epoch
    assert rare[1].equals(often[5])
    assert rare[2].equals(often[10])


@pytest.mark.parametrize("collect", ["eval", "train"])
@pytest.mark.parametrize("number", [1, 2, 3])
def test_resumed_training_gives_the_same_signals(samples, number, collect):
    options = OPTIONS._replace(epochs=4, collect=collect)
    whole = fit(samples, options)[0]
    start = checkpoint_at(samples, options, number)
    trainer.seed_weights(99)  # what another process would have done before
    rest = fit(samples, options, start=start)[0]
    assert list(rest) == list(range(number + 1, 5))
    for later in rest:
        assert rest[later].equals(whole[later])


@pytest.mark.parametrize("number", [3, 6])
def test_resumed_in_the_middle_of_an_epoch(samples, number):
    options = OPTIONS._replace(every_steps=3)
    whole = fit(samples, options)[0]
    rest = fit(samples, options, start=checkpoint_at(samples, options, number))[0]
    assert list(rest) == [n for n in whole if n > number]
    assert all(rest[n].equals(whole[n]) for n in rest)


def test_a_checkpoint_of_another_model_is_refused(samples):
    start = checkpoint_at(samples, OPTIONS, 1)
    other = start._replace(weights={**start.weights, "classifier.bias": np.zeros(3, np.float32)})
    with pytest.raises(TrainingError, match="the checkpoint does not match the model"):
        fit(samples, start=other)


def test_collecting_while_training_has_every_sample_once(samples):
    calm = {"epochs": 1, "lr": 1e-12}  # the model stands still, and without dropout both ways agree
    found = {}
    for collect in ("eval", "train"):
        tables, _ = fit(samples, OPTIONS._replace(collect=collect, **calm), dropout=0.0)
        found[collect] = tables[1].to_pandas()
    assert found["train"]["id"].tolist() == samples.ids
    for column in ("label", "pred_label", "noisy_label"):
        assert found["train"][column].tolist() == found["eval"][column].tolist()
    assert np.allclose(found["train"]["label_probs"], found["eval"]["label_probs"], atol=1e-5)


@pytest.mark.parametrize(("every", "numbers"), [(None, [1, 2]), (4, [4, 8, 10]), (5, [5, 10]), (99, [10])])
def test_when_observations_are_due(every, numbers):
    options = OPTIONS._replace(every_steps=every)
    found = [options.observation_at(step, 5) for step in range(1, 11)]
    assert [number for number in found if number] == numbers


def test_accuracy_by_planted_kind(samples):
    planted = dataset.flip_labels(samples, 0.25, seed=1)
    metrics = fit(planted)[1][-1].metrics
    assert {"train/accuracy_normal", "train/accuracy_dirty"} <= set(metrics)
    assert "train/accuracy_hard" not in metrics
    weighted = metrics["train/accuracy_normal"] * 27 + metrics["train/accuracy_dirty"] * 9
    assert metrics["train/accuracy"] == pytest.approx(weighted / 36)
    assert not [name for name in fit(samples)[1][-1].metrics if "normal" in name]


def test_a_loss_that_is_not_finite_stops(samples):
    with pytest.raises(
        TrainingError, match=r"(loss became|not finite).*lower the learning rate \(trainer.lr=1e\+30\)"
    ):
        fit(samples, OPTIONS._replace(lr=1e30, epochs=5))


def test_unknown_device():
    with pytest.raises(TrainingError, match="trainer.device=tpu7"):
        trainer.use_device("tpu7", 1)


def test_local_folder_is_loaded_with_its_weights(samples, tmp_path):
    model, tokenizer = scratch(samples)
    model.save_pretrained(str(tmp_path))
    tokenizer.save_pretrained(str(tmp_path))
    named = config.ModelConfig(
        name="folder", name_or_path=str(tmp_path), max_length=24, lr=1e-3, epochs=1, batch_size=8
    )
    again = modeling.build(named, [], ("0", "1"))
    tokens = encode(Classifier(model, tokenizer), samples, 24)
    for first, second in zip(tokens, encode(again, samples, 24), strict=True):
        assert np.array_equal(first, second)
    logits = [
        trainer.Trainer(classifier, samples, OPTIONS).evaluate(tokens)
        for classifier in (Classifier(model, tokenizer), again)
    ]
    assert np.array_equal(*logits)


def test_a_model_that_cannot_be_had_says_what_to_do():
    options = config.ModelConfig("x", "no-such-ernie", max_length=9, lr=1, epochs=1, batch_size=1)
    with pytest.raises(ModelError, match="'no-such-ernie' cannot be loaded: it is not a folder.*model=tiny"):
        modeling.build(options, [], ("0", "1"))


def test_vocabulary_of_characters():
    tokenizer = modeling.character_tokenizer(["怎么用Vivo X9", "怎么"])
    text = tokenizer.convert_ids_to_tokens(tokenizer("怎么vivo x9猫")["input_ids"])
    assert text == ["[CLS]", "怎", "么", "v", "##i", "##v", "##o", "x", "##9", "[UNK]", "[SEP]"]


def test_a_samples_logits_do_not_depend_on_its_batch(samples):
    """Neither the padding nor the order by length shows, up to float32's rounding."""
    varied = dataset.draw(samples, 12, seed=1)
    varied = varied.take(list(range(12)))
    varied.texts_b[:] = [text * (1 + row % 5) for row, text in enumerate(varied.texts_b)]
    model, tokenizer = scratch(samples)
    training = trainer.Trainer(Classifier(model, tokenizer), samples, OPTIONS)
    tokens = encode(Classifier(model, tokenizer), varied, 64)
    assert len(set(tokens.lengths)) > 4
    together = training.evaluate(tokens)
    alone = [
        training.evaluate(encode(Classifier(model, tokenizer), varied.take([row]), 64))[0]
        for row in range(12)
    ]
    assert np.allclose(together, alone, atol=1e-5)
    assert not np.allclose(together, together[::-1], atol=1e-3)


def test_the_last_layers_first_token_is_enough(samples):
    import paddle

    model, tokenizer = scratch(samples, layers=3)
    training = trainer.Trainer(Classifier(model, tokenizer), samples, OPTIONS)
    model.eval()
    pad = tokenizer.pad_token_id
    ids, segments = (paddle.to_tensor(part) for part in training.tokens.batch(np.arange(36), pad))
    whole = model(ids, segments).numpy()
    with first_token_only(model):
        short = model(ids, segments).numpy()
        assert list(model.ernie(ids, segments)[0].shape) == [36, 1, 16]
    assert np.allclose(whole, short, atol=1e-6)
    assert np.array_equal(model(ids, segments).numpy(), whole)  # as before when it is over
    assert np.allclose(training.evaluate(training.tokens), whole, atol=1e-6)
