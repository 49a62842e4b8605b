"""The outbox on a real store that refuses for a while: retry, spool, upload, and runs that are gone."""

import contextlib
import threading
import time

import pytest

from datamap.errors import RunLostError, TrackingError
from datamap.tracking.outbox import Delivery, Outbox, deliver_spooled, spooled
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


def send(run, numbers, patience=60):
    said = []
    with Outbox(run, patience, "spool", said.append) as outbox:
        for number in numbers:
            outbox.put(delivery(number))
    return said


def test_all_arrives_in_order_and_the_run_ends(run):
    assert send(run, [1, 2, 3]) == []
    assert list(run.committed()) == [1, 2, 3]
    assert Store().run(run.run_id).status == "FINISHED"
    assert run.artifacts.read("signals/2.txt") == b"x"


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_the_status_of_a_run_that_is_not_ours_stays(run, error):
    with (
        contextlib.suppress(ValueError, KeyboardInterrupt),
        Outbox(run, 60, "spool", print, owned=False) as outbox,
    ):
        outbox.put(delivery(1))
        if error:
            raise error
    assert (list(run.committed()), Store().run(run.run_id).status) == ([1], "RUNNING")


def test_what_is_left_of_a_run_that_is_not_ours_is_tried_once_more_at_the_end(run):
    refusing = Refusing(run, times=1)
    with Outbox(refusing, 0, "spool", print, owned=False) as outbox:
        outbox.put(delivery(1))
    assert (list(run.committed()), spooled(f"spool/{run.run_id}")) == ([1], [])


def test_it_tries_again_and_says_so(run):
    said = send(Refusing(run, times=2), [1, 2])
    assert said == ["note: the store is away; trying again for up to 60 s"]
    assert list(run.committed()) == [1, 2]


def test_what_is_refused_for_too_long_is_spooled_and_uploaded_later(run, tmp_path):
    with pytest.raises(TrackingError, match="did not take all"):
        send(Refusing(run, times=99), [1, 2, 3], patience=0)
    assert (list(run.committed()), len(spooled(f"spool/{run.run_id}"))) == ([], 4)  # and the end
    assert deliver_spooled(run, f"spool/{run.run_id}") == 4
    assert list(run.committed()) == [1, 2, 3]
    assert Store().run(run.run_id).status == "FINISHED"
    assert spooled(f"spool/{run.run_id}") == []


def test_what_was_spooled_goes_first_when_the_store_is_back(run, monkeypatch):
    monkeypatch.setattr("datamap.tracking.failures.LONGEST_PAUSE", 0)
    send_all = send(Refusing(run, times=1), [1, 2, 3], patience=0)
    assert "observations go to" in send_all[0]
    assert list(run.committed()) == [1, 2, 3]
    assert spooled(f"spool/{run.run_id}") == []


def test_a_store_that_is_away_is_not_asked_for_every_delivery(run):
    refusing = Refusing(run, times=99)
    with pytest.raises(TrackingError):
        send(refusing, range(1, 8), patience=0)
    assert 99 - refusing.times == 2  # the first delivery, and the last, which ends the run


def test_a_run_that_is_gone_is_not_tried_again(run):
    run.client.delete_run(run.run_id)
    start = time.monotonic()
    with pytest.raises(RunLostError, match="was deleted while training wrote into it"):
        send(run, [1, 2, 3, 4, 5])
    assert time.monotonic() - start < 10


def test_another_writer_stops_this_one(run):
    other = Store().run(run.run_id)
    outbox = Outbox(run, 60, "spool", print)
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
    outbox = Outbox(Refusing(run, times=99), 0, tmp_path / "file", print)
    with pytest.raises(TrackingError, match="could neither be logged nor written to .*make room"), outbox:
        outbox.put(delivery(1))


def test_a_half_written_delivery_is_not_sent(run, tmp_path):
    part = tmp_path / "0000.part"
    part.mkdir()
    (part / "delivery.json").write_text("{}")
    assert deliver_spooled(run, tmp_path) == 0


def test_training_does_not_wait_for_the_store(run):
    hold = threading.Event()

    def slow():
        hold.wait(30)
        return [("signals/1.txt", b"x")]

    with Outbox(run, 60, "spool", print) as outbox:
        start = time.monotonic()
        outbox.put(Delivery(1, slow, {"signals.rows": 1}))
        outbox.put(delivery(2))
        assert time.monotonic() - start < 5
        hold.set()
    assert list(run.committed()) == [1, 2]
