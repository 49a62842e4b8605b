"""The outbox on a real store that refuses for a while: retry, spool, upload, and runs that are gone."""

import contextlib
import multiprocessing
import threading
import time
from pathlib import Path

import pytest

from datamap.errors import RunLostError, TrackingError
from datamap.tracking import spool
from datamap.tracking.delivery import Delivery
from datamap.tracking.delivery import send as send_delivery
from datamap.tracking.outbox import Outbox
from datamap.tracking.spool import deliver, waiting_in
from datamap.tracking.store import Store


class Refusing:
    """A run whose store refuses the first `times` artifacts."""

    def __init__(self, run, times):
        self._run, self.times = run, times

    def __getattr__(self, name):
        return getattr(self._run, name)

    def log_bytes(self, content, path):
        if self.times > 0:
            self.times -= 1
            raise TrackingError("the store is away")
        self._run.log_bytes(content, path)


@pytest.fixture
def run(store):
    with Store(create=True).new_run() as made:
        made.begin()
        made.ends_elsewhere = True
        yield made


def delivery(number, text=b"x"):
    return Delivery(number, lambda: [(f"signals/{number}.txt", text)], {"signals.rows": 1})


def send(run, numbers, timeout=60):
    with Outbox(run, timeout, "spool") as outbox:
        for number in numbers:
            outbox.put(delivery(number))


def test_all_arrives_in_order_and_the_run_ends(run, capsys):
    send(run, [1, 2, 3])
    assert capsys.readouterr().out == ""
    assert list(run.committed()) == [1, 2, 3]
    assert Store().run(run.run_id).status == "FINISHED"
    assert run.artifacts.read("signals/2.txt") == b"x"


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ("threading.Thread.start", "KILLED"),
        ("datamap.tracking.outbox.status_after", "KILLED"),
        ("datamap.tracking.failures.uninterrupted", "FINISHED"),
    ],
)
def test_an_interrupt_at_any_moment_of_its_life_ends_the_run(store, what, expected):
    patch = pytest.MonkeyPatch()

    def interrupt(*_):
        patch.undo()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Store(create=True).new_run() as run:
        run.begin()
        outbox = Outbox(run, 60, "spool")
        patch.setattr(what, interrupt)
        with outbox:
            outbox.put(delivery(1))
    assert Store().run(run.run_id).status == expected


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_the_status_of_a_run_that_is_not_ours_stays(run, error):
    with (
        contextlib.suppress(ValueError, KeyboardInterrupt),
        Outbox(run, 60, "spool", owned=False) as outbox,
    ):
        outbox.put(delivery(1))
        if error:
            raise error
    assert (list(run.committed()), Store().run(run.run_id).status) == ([1], "RUNNING")


def test_what_is_left_of_a_run_that_is_not_ours_is_tried_once_more_at_the_end(run):
    refusing = Refusing(run, times=1)
    with Outbox(refusing, 0, "spool", owned=False) as outbox:
        outbox.put(delivery(1))
    assert (list(run.committed()), waiting_in(f"spool/{run.run_id}")) == ([1], [])


def test_it_tries_again_and_says_so(run, capsys):
    send(Refusing(run, times=2), [1, 2])
    assert capsys.readouterr().out == "note: the store is away; retrying for up to 60 s\n"
    assert list(run.committed()) == [1, 2]


def test_what_is_refused_for_too_long_is_spooled_and_uploaded_later(run, tmp_path):
    with pytest.raises(TrackingError, match="did not accept everything"):
        send(Refusing(run, times=99), [1, 2, 3], timeout=0)
    assert (list(run.committed()), len(waiting_in(f"spool/{run.run_id}"))) == ([], 4)  # and the end
    assert deliver(run, f"spool/{run.run_id}") == 4
    assert list(run.committed()) == [1, 2, 3]
    assert Store().run(run.run_id).status == "FINISHED"
    assert waiting_in(f"spool/{run.run_id}") == []


def test_what_was_spooled_goes_first_when_the_store_is_back(run, monkeypatch, capsys):
    monkeypatch.setattr("datamap.tracking.failures.MAX_PAUSE", 0)
    send(Refusing(run, times=1), [1, 2, 3], timeout=0)
    assert "observations go to" in capsys.readouterr().out
    assert list(run.committed()) == [1, 2, 3]
    assert waiting_in(f"spool/{run.run_id}") == []


def test_a_store_that_is_away_is_not_asked_for_every_delivery(run):
    refusing = Refusing(run, times=99)
    with pytest.raises(TrackingError):
        send(refusing, range(1, 8), timeout=0)
    assert 99 - refusing.times == 2  # the first delivery, and the last, which ends the run


def test_a_run_that_is_gone_is_not_tried_again(run):
    run.client.delete_run(run.run_id)
    start = time.monotonic()
    with pytest.raises(RunLostError, match="was deleted while training wrote into it"):
        send(run, [1, 2, 3, 4, 5])
    assert time.monotonic() - start < 10


def test_another_writer_stops_this_one(run):
    other = Store().run(run.run_id)
    outbox = Outbox(run, 60, "spool")
    with pytest.raises(RunLostError, match="another process has begun to write into run"), outbox:
        outbox.put(delivery(1))
        while not run.committed():
            time.sleep(0.01)
        other.begin()
        outbox.put(delivery(2))
    assert list(run.committed()) == [1]
    assert Store().run(run.run_id).status == "RUNNING"  # it is the other's


def test_nowhere_to_put_it_is_said(run, tmp_path):
    (tmp_path / "file").write_text("")
    outbox = Outbox(Refusing(run, times=99), 0, tmp_path / "file")
    with (
        pytest.raises(TrackingError, match="could neither be logged nor written to .*free some space"),
        outbox,
    ):
        outbox.put(delivery(1))


def test_each_call_after_a_failure_says_so(run, tmp_path):
    (tmp_path / "file").write_text("")
    raised = []
    with (
        contextlib.suppress(TrackingError),
        Outbox(Refusing(run, times=99), 0, tmp_path / "file") as outbox,
    ):
        outbox.put(delivery(1))
        while outbox.failure is None:
            time.sleep(0.01)
        for number in range(2, 12):
            with pytest.raises(TrackingError) as error:
                outbox.put(delivery(number))
            raised.append(str(error.value))
    assert len(set(raised)) == 1 and len(raised) == 10
    with pytest.raises(TrackingError):  # nor after the end
        outbox.put(delivery(12))


def test_what_could_not_be_kept_is_said_beside_what_ended_the_training(run, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(ValueError),
        Outbox(Refusing(run, times=99), 0, tmp_path / "file") as outbox,
    ):
        outbox.put(delivery(1))
        raise ValueError
    assert "could neither be logged nor written" in capsys.readouterr().out.splitlines()[-1]


def test_nothing_is_put_in_while_or_after_it_ends(run):
    refused = []

    def put():
        try:
            for number in range(1, 1000):
                outbox.put(delivery(number))
        except TrackingError as error:
            refused.append((number, str(error)))

    with Outbox(run, 60, "spool") as outbox:
        thread = threading.Thread(target=put)
        thread.start()
        while not run.committed():
            time.sleep(0.01)
    thread.join(30)
    ((number, message),) = refused
    assert "nothing more can be logged" in message
    assert list(run.committed()) == list(range(1, number))


def test_a_fork_neither_sends_nor_ends_nor_hangs(run):
    with Outbox(run, 60, "spool") as outbox:
        child = multiprocessing.get_context("fork").Process(target=in_a_fork, args=(outbox,))
        child.start()
        child.join(30)
        assert child.exitcode == 0
        assert Store().run(run.run_id).status == "RUNNING"
        outbox.put(delivery(1))
    assert list(run.committed()) == [1]


def in_a_fork(outbox):
    with pytest.raises(TrackingError, match="a forked process cannot log into it"):
        outbox.put(delivery(1))
    outbox.__exit__(None, None, None)


def test_what_is_spooled_during_an_upload_is_sent_too(run):
    spool_all(run, [1, 2])

    class Training(Refusing):
        def log_bytes(self, content, path):
            if path == "signals/1.txt":  # a training that goes on in another process
                thread = threading.Thread(
                    target=spool.put, args=(run, folder_of(run), [("signals/3.txt", b"x")], delivery(3))
                )
                thread.start()
                thread.join(0.3)
            super().log_bytes(content, path)

    assert deliver(Training(run, 0), folder_of(run)) in (2, 3)
    while deliver(run, folder_of(run)) or len(run.committed()) < 3:
        time.sleep(0.01)
    assert list(run.committed()) == [1, 2, 3]
    assert not folder_of(run).exists()


def test_the_spool_is_sent_by_number(run):
    spool_all(run, [1])
    (folder_of(run) / "0000").rename(folder_of(run) / "9999")
    spool_all(run, [2, 3])
    (folder_of(run) / "0007.part").mkdir()
    assert [path.name for path in waiting_in(folder_of(run))] == ["9999", "10000", "10001"]
    sent = []
    run.log_bytes = lambda content, path: sent.append(path)
    assert deliver(run, folder_of(run)) == 3
    assert sent == ["signals/1.txt", "signals/2.txt", "signals/3.txt"]
    assert not folder_of(run).exists()


def test_an_outbox_does_not_mix_with_what_another_one_left(run):
    spool_all(run, [1])
    with pytest.raises(TrackingError, match="holds uploads of run .* send them first: .*folder=spool"):
        Outbox(run, 60, "spool").__enter__()


def folder_of(run):
    return Path("spool", run.run_id)


def spool_all(run, numbers):
    for number in numbers:
        spool.put(run, folder_of(run), [(f"signals/{number}.txt", b"x")], delivery(number))


def test_a_writer_that_lost_its_run_overwrites_no_further_file(run):
    other = Store().run(run.run_id)

    def files():
        yield "signals/1.txt", b"mine"
        other.begin()
        other.log_bytes(b"other", "signals/2.txt")
        yield "signals/2.txt", b"mine"

    with pytest.raises(RunLostError, match="another process has begun to write"):
        send_delivery(run, files(), Delivery(1))
    assert run.artifacts.read("signals/2.txt") == b"other"


def test_a_half_written_delivery_is_not_sent(run, tmp_path):
    part = tmp_path / "0000.part"
    part.mkdir()
    (part / "delivery.json").write_text("{}")
    assert deliver(run, tmp_path) == 0


def test_training_does_not_wait_for_the_store(run):
    hold = threading.Event()

    def slow():
        hold.wait(30)
        return [("signals/1.txt", b"x")]

    with Outbox(run, 60, "spool") as outbox:
        start = time.monotonic()
        outbox.put(Delivery(1, slow, {"signals.rows": 1}))
        outbox.put(delivery(2))
        assert time.monotonic() - start < 5
        hold.set()
    assert list(run.committed()) == [1, 2]
