"""resume=true: what it takes, what it refuses, and that the result is that of an undisturbed run."""

from pathlib import Path

import pytest
import threadpoolctl

from conftest import SMALL_MODEL
from datamap.training.loggers import RunLogger


@pytest.fixture
def client(store):
    from mlflow import MlflowClient

    return MlflowClient()


def signals(client, run_id):
    folder = Path(client.get_run(run_id).info.artifact_uri, "signals")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def die_after(monkeypatch):
    """Make training die after an observation is reported, as a killed process does: nothing is cleaned up."""

    class DeathError(BaseException):
        pass

    def arrange(number):
        take = RunLogger.__call__

        def dying(self, observed):
            take(self, observed)
            if observed.number == number:
                raise DeathError

        monkeypatch.setattr(RunLogger, "__call__", dying)
        return DeathError, lambda: monkeypatch.setattr(RunLogger, "__call__", take)

    return arrange


def killed_run(command, die_after, client, number, *arguments):
    death, undo = die_after(number)
    with pytest.raises(death):
        command("train", *arguments)
    undo()
    return client.search_runs(["1"], order_by=["attributes.start_time DESC"])[0].info.run_id


@pytest.mark.parametrize("options", [(), ("signals.every=2",), ("signals.collect=train",)], ids=str)
def test_a_resumed_run_equals_an_undisturbed_one(command, client, pairs_file, die_after, options):
    arguments = ("data=file", f"data.path={pairs_file}", *SMALL_MODEL, "trainer.batch_size=12", *options)
    whole = command("train", *arguments).out.split()[1]
    killed = killed_run(command, die_after, client, 2, *arguments)
    assert client.get_run(killed).info.status == "FAILED"
    outcome = command("train", "resume=true", f"run_id={killed}")
    assert outcome.code == 0, outcome.err
    assert "resuming after observation 2" in outcome.out
    assert signals(client, killed) == signals(client, whole)
    assert client.get_run(killed).info.status == "FINISHED"
    history = client.get_metric_history(killed, "train/loss")
    assert [m.step for m in history] == [m.step for m in client.get_metric_history(whole, "train/loss")]
    assert "checkpoint" not in [file.path for file in client.list_artifacts(killed)]


def threads_of(monkeypatch):
    """Filled with the threads that Paddle has at each observation."""
    seen, take = [], RunLogger.__call__

    def looking(self, observed):
        pools = threadpoolctl.threadpool_info()
        seen.append({p["num_threads"] for p in pools if p["prefix"] == "libiomp"})
        take(self, observed)

    monkeypatch.setattr(RunLogger, "__call__", looking)
    return seen


@pytest.mark.parametrize("known", [True, False], ids=["of today", "of an older version"])
def test_a_run_goes_on_with_its_own_samples_and_number_of_threads(
    command, client, pairs_file, die_after, monkeypatch, known
):
    arguments = ("data=file", f"data.path={pairs_file}", *SMALL_MODEL)
    arguments += ("seed=7", "data.seed=7", "data.sample=30")
    killed = killed_run(command, die_after, client, 1, *arguments, "trainer.threads=3")
    assert client.get_run(killed).data.params["threads"] == "3"
    logged = Path(client.get_run(killed).info.artifact_uri, "config/train.yaml")
    assert "  threads: 3\n" in logged.read_text()
    if not known:
        logged.write_text(logged.read_text().replace("  threads: 3\n", "").replace("  seed: 7\n", ""))
    seen = threads_of(monkeypatch)
    outcome = command("train", "resume=true", f"run_id={killed}")
    assert outcome.code == 0, outcome.err
    assert seen == [{3 if known else 1}] * 2


def test_what_cannot_be_resumed_says_why(command, client, pairs_file, die_after):
    def refused(*arguments):
        outcome = command("train", "resume=true", *arguments)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
        return outcome.err

    assert "resume=true needs run_id=<id>" in refused()
    arguments = ("data=file", f"data.path={pairs_file}", *SMALL_MODEL)
    killed = killed_run(command, die_after, client, 1, *arguments)
    assert "leave seed out" in refused(f"run_id={killed}", "seed=3")
    assert "add resume=true" in refused(f"run_id={killed}", "resume=false")
    text = pairs_file.read_text()
    pairs_file.write_text(text + "又\t一行\t0\n")
    before = client.get_run(killed)
    assert "has changed since training" in refused(f"run_id={killed}")
    after = client.get_run(killed)
    assert (after.info.status, after.data.tags) == (before.info.status, before.data.tags)  # not taken over
    pairs_file.write_text(text)
    assert command("train", "resume=true", f"run_id={killed}").code == 0
    assert "has already finished; nothing to resume" in refused(f"run_id={killed}")
    damaged = killed_run(command, die_after, client, 2, *arguments)
    for file in Path(client.get_run(damaged).info.artifact_uri, "checkpoint").rglob("*.safetensors"):
        file.write_bytes(file.read_bytes()[:-1])
    assert "no complete checkpoint of observation 2" in refused(f"run_id={damaged}")
    assert client.get_run(damaged).info.status == "FAILED"
    unprotected = killed_run(command, die_after, client, 1, *arguments, "trainer.checkpoint=none")
    assert "no complete checkpoint of observation 1" in refused(f"run_id={unprotected}")
    empty = client.create_run("1").info.run_id
    assert "ended before it logged anything" in refused(f"run_id={empty}")


def test_collecting_in_training_goes_by_epochs(command, store):
    outcome = command("train", "signals.collect=train", "signals.every=5")
    assert (outcome.code, "leave signals.every=epoch" in outcome.err) == (2, True)


def test_upload_of_nothing_says_so(command, store):
    outcome = command("upload")
    assert (outcome.code, outcome.err) == (2, "error: folder=datamap-spool: nothing is spooled there\n")


def test_what_was_spooled_is_sent_before_resuming(command, client, pairs_file, die_after, monkeypatch):
    from datamap.errors import TrackingError
    from datamap.tracking.run import Run

    arguments = ("data=file", f"data.path={pairs_file}", *SMALL_MODEL, "tracking.retry_seconds=0")
    whole = command("train", *arguments).out.split()[1]
    log_bytes = Run.log_bytes

    def refuse_late(self, content, path):
        if "epoch_0002" in path or "epoch_0003" in path:
            raise TrackingError("the store is away")
        log_bytes(self, content, path)

    with monkeypatch.context() as away:
        away.setattr(Run, "log_bytes", refuse_late)
        death, undo = die_after(2)
        with pytest.raises(death):
            command("train", *arguments)
        undo()
    killed = client.search_runs(["1"], order_by=["attributes.start_time DESC"])[0].info.run_id
    outcome = command("train", "resume=true", f"run_id={killed}")
    assert outcome.code == 0, outcome.err
    assert "2 uploads of" in outcome.out  # observation 2, and the end as FAILED
    assert "resuming after observation 2" in outcome.out
    assert signals(client, killed) == signals(client, whole)


def test_a_runs_config_does_not_say_whom_its_reader_trusts(command, client, pairs_file, die_after, tmp_path):
    from model_folders import hugging_face

    folder = tmp_path / ("0123456789abcdef" * 2) / "artifacts/model"  # a pickle, as if of a run
    hugging_face(folder, safe_serialization=False)
    arguments = (
        "data=file",
        f"data.path={pairs_file}",
        "trainer.epochs=2",
        "plot.live=false",
        "trainer.max_length=24",
    )
    arguments += ("model=folder", f"model.name_or_path={folder}", "model.trust_pickle=true")
    killed = killed_run(command, die_after, client, 1, *arguments)
    outcome = command("train", "resume=true", f"run_id={killed}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert "a pickle among a run's artifacts" in outcome.err
    outcome = command("train", "resume=true", f"run_id={killed}", "model.trust_pickle=true")
    assert (outcome.code, "epoch 2 of 2" in outcome.out) == (0, True), outcome.err
