"""A damaged entry is made again, alone, by the next run that reads it."""

import damage
import pytest
import toys

from kdbench.store import Damaged


@pytest.mark.parametrize("way", damage.WAYS)
def test_exactly_the_damaged_entry_is_made_again(way, tmp_path):
    log = tmp_path / "log"
    first = [toys.add(n, log=str(log)) for n in range(4)]
    last = toys.add(100, first, log=str(log))
    _, store, _ = toys.go([*first, last], tmp_path / "kd")
    want = {job.key: store.open(job.key).bytes("value.json") for job in (*first, last)}
    log.unlink()
    store.drop(last.key)  # so that the damaged one is read
    damage.WAYS[way](store, [first[2].key, first[0].key])
    again = {"add2", "add100", *(["add0"] if way == "swap" else [])}
    outcome, *_ = toys.go([*first, last], tmp_path / "kd")
    assert sorted(log.read_text(encoding="utf-8").split()) == sorted(again)
    assert outcome.failed == {}
    assert {job.key: store.open(job.key).bytes("value.json") for job in (*first, last)} == want


def test_two_damaged_inputs_of_one_job(tmp_path):
    first = [toys.add(n) for n in range(3)]
    last = [toys.add(100 + n, first) for n in range(3)]
    _, store, _ = toys.go([*first, *last], tmp_path)
    for job in last:
        store.drop(job.key)
    damage.flip(store, [first[0].key])
    damage.zero(store, [first[2].key])
    outcome, *_ = toys.go([*first, *last], tmp_path)
    assert outcome.ran == 5
    assert [toys.value(store, job) for job in last] == [103, 104, 105]


def test_last_entry_is_mended_by_the_reader(tmp_path):
    """What nothing needs is not read by the run: the reader sees the damage, drops the entry, and runs again."""
    job = toys.add(1)
    _, store, _ = toys.go([job], tmp_path)
    damage.flip(store, [job.key])
    assert toys.go([job], tmp_path)[0].ran == 0
    with pytest.raises(Damaged) as caught:
        store.open(job.key)
    store.drop(caught.value.key)
    assert toys.go([job], tmp_path)[0].ran == 1
    assert toys.value(store, job) == 1
