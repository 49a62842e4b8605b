"""Files of signals of each format, read: what they mean, and what is wrong with them, by file and line."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamap import schema
from datamap.errors import SignalError
from datamap.importing import foreign, records, sources
from datamap.signals import shards
from datamap.signals.compute import signal_table
from foreign_files import (
    GOLDS,
    GUIDS,
    LOGITS,
    SAME,
    dynamics_of,
    dynamics_text,
    table_of,
    text_of,
    tutorial_record,
    tutorial_records,
    write,
    write_dynamics,
    write_shards,
)


def read(path, format="auto"):
    """([(unit, number, table)], [note, …])."""
    notes = []
    return list(sources.observations(sources.find(path, format), notes.append)), notes


def refusal(path, format="auto"):
    with pytest.raises(SignalError) as caught:
        read(path, format)
    message = str(caught.value)
    assert "\n" not in message
    return message


def rows(tables):
    return [table.to_pylist() for _, _, table in tables]


# ---------------------------------------------------------------------- tutorial


def as_signals(observations):
    return [[as_signal(record) for record in o] for o in observations]


def as_signal(record):
    logs = np.log(record["probs"])
    margin = logs[record["label"]] - np.delete(logs, record["label"]).max()
    return {**record, "correct": record["correct"] == "true", "margin": float(np.float32(margin))}


@pytest.mark.parametrize("samples", [1, 4, 33])
@pytest.mark.parametrize("block", [1, 700, 1 << 22])
def test_tutorial_records_are_kept_to_the_last_digit(tmp_path, monkeypatch, samples, block):
    monkeypatch.setattr(records, "BLOCK", block)
    observations = tutorial_records(samples, 5)
    found, notes = read(write(tmp_path / "output_data.json", text_of(observations)))
    assert [(unit, number) for unit, number, _ in found] == [("epoch", n) for n in range(1, 6)]
    assert rows(found) == as_signals(observations)
    assert [list(table.column_names) for _, _, table in found] == [list(schema.SIGNAL_COLUMNS)] * 5
    assert notes == []


IDS = {
    "plain": ["a", "b", "c", "d"],
    "quoted": ["it's", 'say "x"', "back\\slash", "猫\n"],
    "more keys, were quotes all the same": ["a', 'x': 'b"],
    "ints": [2**40, 7, -1, 0],
}


@pytest.mark.parametrize("kind", IDS)
def test_ids_of_all_kinds(tmp_path, kind):
    ids = IDS[kind]
    found, _ = read(write(tmp_path / "output_data.json", text_of(tutorial_records(len(ids), ids=ids))))
    assert [table["id"].to_pylist() for _, _, table in found] == [ids] * 3


@given(st.lists(st.text(), min_size=1, max_size=5, unique=True))
def test_any_string_is_an_id(tmp_path_factory, ids):
    path = write(
        tmp_path_factory.mktemp("x") / "output_data.json", text_of(tutorial_records(len(ids), 2, ids))
    )
    found, _ = read(path)
    assert [table["id"].to_pylist() for _, _, table in found] == [ids] * 2


def changed_text(change):
    return change(text_of(tutorial_records()))


@pytest.mark.parametrize("change", SAME)
def test_what_makes_no_difference(tmp_path, change):
    found, notes = read(write(tmp_path / "x.json", changed_text(SAME[change])))
    assert rows(found) == as_signals(tutorial_records())
    assert notes == []


def test_a_probability_that_was_rounded_to_above_one_is_one(tmp_path):
    record = tutorial_record(0, 0, [1.0000001, 0.0])
    found, _ = read(write(tmp_path / "x.json", text_of([[record]] * 2)))
    assert [table["label_probs"].to_pylist() for _, _, table in found] == [[1.0], [1.0]]


def test_only_what_the_originals_reducer_needs_must_be_there(tmp_path):
    observations = tutorial_records()
    few = [
        [{k: r[k] for k in ("id", "label", "correct", "probs", "label_probs")} | {"grad": 3} for r in o]
        for o in observations
    ]
    found, _ = read(write(tmp_path / "x.json", text_of(few)))
    for table, expected in zip(rows(found), as_signals(observations), strict=True):
        for row, record in zip(table, expected, strict=True):
            assert row.pop("grad") == 3
            assert row == {**record, "loss": pytest.approx(record["loss"], rel=1e-6)}


def test_another_order_in_later_observations(tmp_path):
    first, second, third = tutorial_records()
    found, _ = read(write(tmp_path / "x.json", text_of([first, second[::-1], third])))
    assert rows(found) == as_signals([first, second[::-1], third])


def test_a_killed_runs_last_observation_is_left_out(tmp_path):
    first, second, third = tutorial_records()
    found, notes = read(write(tmp_path / "x.json", text_of([first, second, third[:1]])))
    assert rows(found) == as_signals([first, second])
    assert notes == ["ignoring observation 3, which has only 1 of 4 records (was a run killed?)"]


@pytest.mark.parametrize("lines", [8, 9, 11])
def test_a_last_line_that_is_cut_off_is_left_out(tmp_path, lines):
    parts = text_of(tutorial_records()).splitlines(keepends=True)
    path = write(tmp_path / "x.json", "".join(parts[:lines]) + parts[lines][:40])
    found, notes = read(path)
    assert rows(found) == as_signals(tutorial_records()[:2])
    assert notes[0] == f"{path}: ignoring its last line, which is cut off (was a run killed?)"
    assert notes[1:] == (
        [f"ignoring observation 3, which has only {lines - 8} of 4 records (was a run killed?)"]
        if lines > 8
        else []
    )


def test_no_whole_observation(tmp_path):
    text = text_of(tutorial_records()[:1])
    path = write(tmp_path / "x.json", text[:-30])
    assert refusal(path) == f"{path}: its last line is cut off, and no observation before it is complete"


def test_nothing_but_a_line_that_is_cut_off(tmp_path):
    path = write(tmp_path / "x.json", text_of(tutorial_records())[:30])
    assert refusal(path) == f"{path}: no records, but one line that is cut off"


def edited(observation, row, **values):
    observations = tutorial_records()
    record = observations[observation][row]
    observations[observation][row] = {k: v for k, v in {**record, **values}.items() if v is not None}
    return text_of(observations)


BAD_TUTORIALS = {
    "empty": ("", ": no records"),
    "not a dictionary": (
        "hello\n",
        ", line 1: not a Python dictionary (ValueError: malformed node or string on line 1)",
    ),
    "a list": ("[1]\n", ", line 1: not a Python dictionary, but '[1]'"),
    "garbage in between": (edited(0, 0).replace("\n", "\nx = \n", 1), ", line 2: not a Python dictionary"),
    "code": (edited(0, 0) + "__import__('os').system('true')\n", ", line 13: not a Python dictionary"),
    "not a number": (edited(1, 2).replace("'loss'", "'loss': nan, 'l'", 1), ", line 1: not a Python dict"),
    "no id": (edited(1, 1, id=None), ", line 6 lacks key 'id' (keys: label, pred_label,"),
    "no probs": (edited(0, 0, probs=None), ", line 1 lacks key 'probs'"),
    "id of another type": (edited(1, 1, id="one"), ", line 6: id is one, not an integer"),
    "id too large": (edited(1, 1, id=2**70), ", line 6: id is 1180591620717411303424, not an integer"),
    "another planted kind": (
        edited(1, 1, noisy_label=2),
        ", line 6: a planted kind (noisy_label) other than in",
    ),
    "a planted kind that is none": (
        edited(0, 1, noisy_label=20),
        ", line 2: noisy_label is not 0, 1 or 2, id 1",
    ),
    "label too large": (edited(1, 1, label=3), ", line 6: label is not in 0..2, id 1"),
    "label a float": (edited(1, 1, label=1.5), ", line 6: label is 1.5, not an integer"),
    "several labels": (edited(0, 1, label=[0, 1]), ", line 2: label is [0, 1], a list (several labels?)"),
    "sequences": (edited(2, 0, probs=[[0.5, 0.5]]), ", line 9: probs is [[0.5, 0.5]], lists in a list (seq"),
    "probs do not sum": (
        edited(1, 3, probs=[0.5, 0.4, 0.3]),
        ", line 8: probabilities are negative or do not",
    ),
    "probs negative": (
        edited(1, 3, probs=[1.5, -0.5, 0.0]),
        ", line 8: probabilities are negative or do not",
    ),
    "fewer classes": (
        edited(1, 3, **tutorial_record(3, 0, [0.5, 0.5])),
        ", line 8: numbers for 2 classes instead of 3",
    ),
    "contradiction": (edited(1, 3, label_probs=0.2), ", line 8: label_probs 0.2 is not probs[label], id 3"),
    "correct unknown": (edited(1, 3, correct="yes"), ", line 8: correct yes is not true or false, id 3"),
    "pred_label differs": (edited(0, 0, pred_label=2, correct="true"), ", line 1: correct True does not say"),
    "loss infinite": (edited(1, 3, loss=1e999).replace("inf", "1e999"), ", line 8: loss inf is not a finite"),
    "label changes": (
        text_of(tutorial_records()[:1] + [[{**tutorial_records()[0][0], "label": 1}]]),
        ", line 5: label_probs",
    ),
    "an observation too short": (
        text_of([tutorial_records()[0], tutorial_records()[1][:2], tutorial_records()[2]]),
        ", line 6: observation 2 ends without sample 2, 3",
    ),
    "an id too many": (
        text_of(tutorial_records()[:2] + [[tutorial_record(9, 0, [0.5, 0.25, 0.25])]]),
        ", line 9: sample is not in the first observation, id 9",
    ),
}


@pytest.mark.parametrize("block", [1, 1 << 22])
@pytest.mark.parametrize("name", BAD_TUTORIALS)
def test_what_is_wrong_with_a_tutorials_file(tmp_path, monkeypatch, name, block):
    monkeypatch.setattr(records, "BLOCK", block)
    text, message = BAD_TUTORIALS[name]
    path = write(tmp_path / "output_data.json", text)
    if name == "fewer classes" and block == 1:
        message = ", line 8: the number of classes differs from the first record's 3, id 3"
    assert refusal(path).startswith(f"{path}{message}")


DEEP = "[" * 100_000


@pytest.mark.parametrize("value", [DEEP, DEEP + "]" * len(DEEP), "[" * 80 + "]" * 80])
@pytest.mark.parametrize("key", ["id", "probs"])
def test_what_is_nested_too_deep(tmp_path, value, key):
    text = edited(1, 1, **{key: "DEEP"}).replace("'DEEP'", value)
    assert refusal(write(tmp_path / "x.json", text)).startswith(f"{tmp_path / 'x.json'}, line 6: ")


BAD_KEYS = ["a\tb", "a\nb", "", "\x1b[31m"]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_key_that_cannot_be_the_name_of_a_column(tmp_path, key):
    path = write(tmp_path / "x.json", edited(0, 0, **{key: 1.0}))
    assert refusal(path) == f"{path}, line 1: key {key!r} is not a valid column name"


@pytest.mark.parametrize("own", [10**400, 2**60 + 1])
def test_whole_numbers_that_are_no_floats(tmp_path, own):
    observations = [
        [{**record, "own": own} for record in o] for o in tutorial_records(ids=["'", "b", "c", "d"])
    ]
    path = write(tmp_path / "x.json", text_of(observations))
    if own == 10**400:
        assert refusal(path).startswith(f"{path}, line 1: own is 1000")
    else:
        assert rows(read(path)[0])[0][0]["own"] == float(own)


def test_a_string_that_is_no_text(tmp_path):
    path = write(
        tmp_path / "x.json", text_of(tutorial_records(ids=["a", "b", "c", "d"])).replace("'b'", "'\\ud800'")
    )
    assert refusal(path).startswith(f"{path}, line 2: id is ")


@pytest.mark.filterwarnings("error")
def test_escapes_that_python_warns_of(tmp_path):
    path = write(
        tmp_path / "x.json", text_of(tutorial_records(ids=["a", "b", "c", "d"])).replace("'b'", r"'\d'")
    )
    assert read(path)[0][0][2]["id"].to_pylist() == ["a", r"\d", "c", "d"]


def test_bytes_that_are_not_utf8(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(text_of(tutorial_records(ids=list("abcd"))).encode().replace(b"'b'", b"'\xff'"))
    assert refusal(path).startswith(f"{path}, line 2: not a Python dictionary (UnicodeDecodeError")


def test_a_label_that_changes(tmp_path):
    first, second, third = tutorial_records()
    second[1] = tutorial_record(1, 2, second[1]["probs"])
    path = write(tmp_path / "x.json", text_of([first, second, third]))
    assert refusal(path) == f"{path}, line 6: a label other than in the first observation, id 1"


def test_nothing_is_evaluated(tmp_path):
    text = text_of(tutorial_records()) + f"{{'id': open({str(tmp_path / 'made')!r}, 'w')}}\n"
    assert "line 13: not a Python dictionary" in refusal(write(tmp_path / "x.json", text))
    assert not (tmp_path / "made").exists()


def test_one_observation_is_held_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "BLOCK", 1)
    path = write(tmp_path / "x.json", text_of(tutorial_records(2, 3)) + "{'id': 0}\n")
    found = sources.observations(sources.find(path))
    assert [next(found)[1], next(found)[1]] == [1, 2]
    with pytest.raises(SignalError, match="line 7 lacks key 'label'"):
        next(found)


# ---------------------------------------------------------------------- cartography


@pytest.mark.parametrize("guids", [GUIDS, ["4705552913.jpg#2r1n", "it's", '"猫"']], ids=["ints", "strings"])
@pytest.mark.parametrize("below", [".", "training_dynamics"])
def test_cartography(tmp_path, guids, below):
    write_dynamics(tmp_path / below, guids)
    found, notes = read(tmp_path)
    assert [number for _, number, _ in found] == [1, 2, 3]
    assert notes == []
    for (_, _, table), logits in zip(found, LOGITS, strict=True):
        expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        assert np.allclose(table["probs"].to_pylist(), expected, atol=1e-7)
        assert table["id"].to_pylist() == guids
        assert table["label"].to_pylist() == GOLDS
        assert table["correct"].to_pylist() == (np.argmax(logits, axis=1) == GOLDS).tolist()


def test_ten_epochs_are_in_order_of_number(tmp_path):
    for epoch in range(11):
        logits = [[float(epoch), 0.0, 0.0]] * 3
        write(tmp_path / f"dynamics_epoch_{epoch}.jsonl", dynamics_text(epoch, logits, GOLDS, GUIDS))
    found, _ = read(tmp_path)
    firsts = [table["probs"][0][0].as_py() for _, _, table in found]
    assert firsts == sorted(firsts) and len(firsts) == 11


@pytest.mark.parametrize("change", ["byte-order mark", "CRLF", "blank lines", "no last line end"])
def test_what_makes_no_difference_to_cartography(tmp_path, change):
    plain = rows(read(write_dynamics(tmp_path / "a"))[0])
    assert rows(read(write_dynamics(tmp_path / "b", change=SAME[change]))[0]) == plain


BAD_DYNAMICS = {
    "cut off": (lambda t: t[:-20], "line 3: not a JSON object"),
    "Python": (lambda t: t.replace('"', "'"), "line 1: not a JSON object"),
    "another epoch's key": (lambda t: t.replace("epoch_1", "epoch_0"), "line 1 lacks key 'logits_epoch_1' (keys: gu"),
    "no gold": (lambda t: t.replace('"gold": 2', '"g": 2'), "line 2 lacks key 'gold'"),
    "gold is null": (lambda t: t.replace('"gold": 2', '"gold": null'), "line 2: gold is None, not an int"),
    "several labels": (lambda t: t.replace('"gold": 2', '"gold": [2]'), "line 2: gold is [2], a list (several"),
    "sequences": (lambda t: t.replace("[", "[[", 1).replace("]", "]]", 1), "line 1: logits_epoch_1 is [["),
    "a null": (lambda t: t.replace("[", "[null, ", 1), "line 1: logits_epoch_1 is [None"),
    "NaN": (lambda t: t.replace("[", "[NaN, ", 1).replace(str(LOGITS[1][0][2]), "", 1), "line 1: not a JSON"),
    "more classes": (lambda t: t.replace("[", "[1.0, "), "line 1: the number of classes differs from the first"),
    "one class": (lambda t: t.replace(f", {LOGITS[1][0][1]}, {LOGITS[1][0][2]}", ""), "line 1: numbers for 1"),
    "an id twice": (lambda t: t.replace('d": 10,', f'd": {GUIDS[0]},'), "line 3: id 4734364254410 occurs twice"),
    "an id less": (lambda t: t.split("\n", 1)[1], "line 2: observation 2 ends without sample 4734364254410"),
    "another id": (lambda t: t.replace(str(GUIDS[1]), "5"), "line 2: sample is not in the first obser"),
    "string ids": (lambda t: t.replace(str(GUIDS[0]), '"5"'), "line 2: guid is 263237638210, not a string"),
    "another label": (lambda t: t.replace('"gold": 2', '"gold": 1'), "line 2: a label other than in the fi"),
    "label too large": (lambda t: t.replace('"gold": 2', '"gold": 3'), "line 2: label is not in 0..2, id 263"),
    "empty": (lambda t: "", " no records"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_DYNAMICS)
def test_what_is_wrong_with_cartographys_files(tmp_path, name):
    change, message = BAD_DYNAMICS[name]
    write_dynamics(tmp_path)
    dynamics_of(tmp_path, 1, change)
    found = refusal(tmp_path)
    assert found.startswith(f"{tmp_path / 'dynamics_epoch_1.jsonl'}"), found
    assert message in found


def test_infinite_logits_are_named(tmp_path):
    write_dynamics(tmp_path)
    dynamics_of(tmp_path, 1, lambda t: t.replace(str(LOGITS[1][1][0]), "1e999"))
    assert refusal(tmp_path).endswith(
        "dynamics_epoch_1.jsonl, line 2: scores are not finite (NaN or infinite), id 263237638210"
    )


@pytest.mark.parametrize(("epochs", "lost"), [((0, 2), 1), ((1, 2), 0)])
def test_an_epoch_that_is_missing(tmp_path, epochs, lost):
    write_dynamics(tmp_path, epochs=epochs)
    names = ", ".join(f"dynamics_epoch_{epoch}.jsonl" for epoch in epochs)
    assert refusal(tmp_path) == f"{tmp_path}: dynamics_epoch_{lost}.jsonl is missing (found: {names})"


def test_an_epoch_of_a_huge_number(tmp_path):
    write(write_dynamics(tmp_path, epochs=(0,)) / "dynamics_epoch_999999999.jsonl", "{}\n")
    write(tmp_path / "dynamics_epoch_01.jsonl", "")  # no name of theirs
    assert "dynamics_epoch_1.jsonl is missing" in refusal(tmp_path)


@given(st.lists(st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_softmax_of_what_is_exported_is_probs_again(values):
    probs = np.asarray(values) + 1e-9 * np.eye(3)[0]
    table = signal_table(range(len(probs)), [0] * len(probs), probs=probs / probs.sum(axis=1, keepdims=True))
    logits = np.asarray(foreign.dynamics(table, 4)["logits_epoch_4"].to_pylist())
    again = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(again, table["probs"].to_pylist(), atol=1e-6)


# ---------------------------------------------------------------------- our own shards


@pytest.mark.parametrize("unit", ["epoch", "step"])
@pytest.mark.parametrize("format", schema.FORMATS)
@pytest.mark.parametrize("sums", [True, False])
@pytest.mark.parametrize("below", [".", "signals"])
def test_our_own_shards(tmp_path, unit, format, sums, below):
    write_shards(tmp_path, unit, format, sums=sums)
    found, _ = read(tmp_path / below)
    assert [(u, n) for u, n, _ in found] == [(unit, 1), (unit, 2), (unit, 3)]
    for _, number, table in found:
        for name in schema.SIGNAL_COLUMNS:
            values = [
                np.float32(v) if "probs" in name or name in ("loss", "margin") else v
                for v in table[name].to_pylist()
            ]
            assert np.array_equal(values, table_of(number)[name].to_pylist()), name


@pytest.mark.parametrize("format", schema.FORMATS)
def test_further_signals_of_our_own_shards(tmp_path, format):
    table = table_of(1).append_column("grad_norm", [[0.5, 1.5, 2.5]])
    ((shard, content),) = shards.encoded(table, "epoch", 1, 9, format)
    (tmp_path / Path(shard.path).name).write_bytes(content)
    ((_, _, found),) = read(tmp_path)[0]
    assert found["grad_norm"].to_pylist() == [0.5, 1.5, 2.5]
    assert set(found.column_names) == {*schema.SIGNAL_COLUMNS, "grad_norm"}


def test_one_shard_alone(tmp_path):
    write_shards(tmp_path, rows=10)
    found, _ = read(tmp_path / "signals" / "epoch_0002-00000-of-00001.jsonl")
    assert [(number, table.num_rows) for _, number, table in found] == [(2, 3)]


def test_our_own_shards_with_what_editors_add(tmp_path):
    write_shards(tmp_path, sums=False)
    plain = rows(read(tmp_path)[0])
    for path in (tmp_path / "signals").iterdir():
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert rows(read(tmp_path)[0]) == plain


def damage(folder, name, change):
    path = folder / "signals" / name
    path.write_bytes(change(path.read_bytes()))


SECOND = "epoch_0002-00001-of-00002.jsonl"


def test_what_is_wrong_with_our_own_shards(tmp_path):
    folder = write_shards(tmp_path) / "signals"
    damage(tmp_path, SECOND, lambda content: content.replace(b"0.", b"0.1", 1))
    assert refusal(tmp_path) == (
        f"{folder}/{SECOND} is damaged: its bytes do not agree with {folder}/epoch_0002.sha256; restore it from a copy"
    )
    damage(tmp_path, "epoch_0002.sha256", lambda content: content[:-10])
    assert "is damaged" in refusal(tmp_path)
    damage(tmp_path, "epoch_0002.sha256", lambda content: content.rsplit(b"\n", 1)[0] + b"\n")
    (folder / "epoch_0002.sha256").write_bytes(b"0" * 64 + b"  other.jsonl\n")
    assert "is not in epoch_0002.sha256" in refusal(tmp_path)
    (folder / "epoch_0002.sha256").unlink()
    damage(tmp_path, SECOND, lambda content: content.replace(b'"noisy_label": 0, ', b""))
    message = refusal(tmp_path)
    assert message == f"{folder}, observation 2: noisy_label is missing, id c"
    (folder / SECOND).unlink()
    assert refusal(tmp_path).startswith("observation 2: a shard is missing or duplicated (found: ")
    assert refusal(folder / "epoch_0002-00000-of-00002.jsonl").startswith("observation 2: a shard is missing")


def test_shards_by_names_that_are_none(tmp_path):
    folder = write_shards(tmp_path) / "signals"
    for name in (
        "old_epoch_0001-00000-of-00002.jsonl",
        "epoch_1-0-of-2.jsonl",
        "epoch_0004-00000-of-99999999999.jsonl",
    ):
        write(folder / name, "nonsense")
    assert [number for _, number, _ in read(tmp_path)[0]] == [1, 2, 3]
    write(folder / "epoch_0004-00000-of-999999999.jsonl", "nonsense")
    assert refusal(tmp_path).startswith("observation 4: a shard is missing or duplicated (found: ")


@pytest.mark.parametrize("names", ["[]", "{", "7", '{"0": 1}', '{"a": "b"}', '{"0": "a", "2": "b"}', DEEP])
def test_damaged_class_names(tmp_path, names):
    write_shards(tmp_path)
    path = write(tmp_path / "labels.json", names)
    with pytest.raises(SignalError, match=f"^{path}: "):
        sources.class_names(sources.find(tmp_path))
    write(path, '{"1": "b", "0": "a"}')
    assert sources.class_names(sources.find(tmp_path)) == ("a", "b")


def test_labels_and_classes_of_our_own_shards(tmp_path):
    folder = write_shards(tmp_path, rows=10, sums=False) / "signals"
    damage(tmp_path, "epoch_0003-00000-of-00001.jsonl", lambda c: c.replace(b'"label": 2', b'"label": 7'))
    refused = f"{folder}/epoch_0003-00000-of-00001.jsonl: label is not in 0..2, id b"
    assert refusal(tmp_path) == refused
    damage(
        tmp_path, "epoch_0003-00000-of-00001.jsonl", lambda c: c.replace(b'probs": [', b'probs": [0.0, ', 1)
    )
    assert refusal(tmp_path) == (
        f"{folder}/epoch_0003-00000-of-00001.jsonl: probs has a number of classes other than 4, id b, c"
    )


# ---------------------------------------------------------------------- which format it is


def test_what_cannot_be_found(tmp_path):
    assert refusal(tmp_path / "no").startswith(f"{tmp_path / 'no'}: no such file or folder (looked in ")
    assert refusal(tmp_path).startswith(
        f"{tmp_path} has no signals (format=auto); files are recognized by their names: tut"
    )
    write_dynamics(tmp_path)
    assert "no signals (format=datamap)" in refusal(tmp_path, "datamap")
    assert "no signals (format=cartography)" in refusal(write(tmp_path / "x.jsonl", ""), "cartography")
    write_shards(tmp_path)
    assert (
        refusal(tmp_path)
        == f"{tmp_path} has files of several formats; choose one: format=datamap or cartography"
    )
    assert [number for _, number, _ in read(tmp_path, "datamap")[0]] == [1, 2, 3]
    assert len(read(tmp_path, "cartography")[0]) == 3


def test_what_cannot_be_read(tmp_path):
    broken = tmp_path / "output_data.json"
    broken.symlink_to("/proc/self/mem")
    assert refusal(broken) == f"{broken}: no records"  # of size 0, and endless
    for path in (tmp_path / ("x" * 5000), tmp_path / "\udcff"):
        shown = str(path).encode("utf-8", "backslashreplace").decode()  # a message is valid Unicode
        assert refusal(path).startswith(f"{shown}: ")
    shard = write_shards(tmp_path / "a", rows=10) / "signals" / "epoch_0002-00000-of-00001.jsonl"
    shard.unlink()
    shard.mkdir()
    assert refusal(tmp_path / "a") == f"{shard}: not a regular file"
    folder = write_dynamics(tmp_path / "b")
    (folder / "dynamics_epoch_1.jsonl").unlink()
    (folder / "dynamics_epoch_1.jsonl").symlink_to("/proc/self/mem")
    assert refusal(folder) == f"{folder}/dynamics_epoch_1.jsonl: no records"
    with pytest.raises(SignalError, match="no records"):
        sources.digest(sources.find(folder))


def test_the_tutorials_folder(tmp_path):
    write(tmp_path / "outputs" / "output_data.json", text_of(tutorial_records()))
    assert len(read(tmp_path)[0]) == len(read(tmp_path / "outputs")[0]) == 3


def test_a_file_of_cartography_by_another_name_is_no_tutorials(tmp_path):
    path = write(tmp_path / "x.jsonl", dynamics_text(0, LOGITS[0], GOLDS, GUIDS))
    assert refusal(path) == f"{path}, line 1 lacks key 'id' (keys: guid, logits_epoch_0, gold)"


def test_the_digest_is_that_of_the_bytes(tmp_path):
    digests = [sources.digest(sources.find(write_dynamics(tmp_path / name))) for name in "ab"]
    dynamics_of(tmp_path / "b", 2, lambda text: text + " ")
    digests.append(sources.digest(sources.find(tmp_path / "b")))
    assert digests[0] == digests[1] != digests[2]
