"""The order of jobs, without processes."""

import time

from toys import add

from kdbench.execute.schedule import Schedule
from kdbench.nouns import Job


def keys(batch):
    return [ready.key for ready in batch]


def nothing(_key):
    return False


def test_plan_order_then_needs():
    a, b = add(1), add(2)
    c = add(3, [a])
    schedule = Schedule([a, b, c], nothing)
    assert keys(schedule.take(idle=True)) == [a.key]
    assert keys(schedule.take(idle=False)) == [b.key]
    assert schedule.take(idle=False) == []
    schedule.made(a.key)
    assert keys(schedule.take(idle=False)) == [c.key]


def test_root_cause_is_told_down_the_chain():
    a = add(1)
    b = add(2, [a])
    c = add(3, [b])
    schedule = Schedule([a, b, c], nothing)
    schedule.take(idle=True)
    schedule.fail(a.key, "ValueError: no")
    assert schedule.failed == {a.key: "ValueError: no", b.key: "needs add1: ValueError: no", c.key: "needs add1: ValueError: no"}
    assert schedule.skipped == [b.key, c.key]
    assert schedule.over


def test_uses_waits_for_the_first_candidate_and_falls_back():
    a, b = add(1), add(2)
    c = add(3, uses={"artefact": (a.key, b.key)})
    schedule = Schedule([a, b, c], nothing)
    schedule.take(idle=True), schedule.take(idle=False)
    schedule.made(b.key)
    assert schedule.take(idle=False) == []  # the first candidate may still come: which one is used is not left to chance
    schedule.fail(a.key, "broken")
    assert schedule.take(idle=False)[0].inputs == {"artefact": b.key}


def test_uses_takes_the_first_though_others_are_there():
    a, b = add(1), add(2)
    c = add(3, uses={"artefact": (a.key, b.key)})
    schedule = Schedule([a, b, c], {a.key, b.key}.__contains__)
    assert schedule.take(idle=False)[0].inputs == {"artefact": a.key}


def test_uses_without_any_left_is_skipped():
    a, b = add(1), add(2)
    c = add(3, uses={"artefact": (a.key, b.key)})
    schedule = Schedule([a, b, c], nothing)
    schedule.take(idle=True), schedule.take(idle=False)
    schedule.fail(a.key, "broken")
    schedule.fail(b.key, "worse")
    assert schedule.failed[c.key] == "needs add2: worse"


def test_unknown_need_is_refused_by_name():
    job = Job("add", {"n": 1}, {"data": "f" * 64})
    schedule = Schedule([job], nothing)
    assert schedule.failed[job.key] == "needs data (ffffffffffff): neither in this plan nor in the store"


def test_alone_comes_last_and_only_when_idle():
    quiet, loud = add(1, alone=True), add(2)
    schedule = Schedule([quiet, loud], nothing)
    assert keys(schedule.take(idle=True)) == [loud.key]
    assert schedule.take(idle=True) == []
    schedule.made(loud.key)
    assert schedule.take(idle=False) == []
    assert schedule.waits_alone()
    assert keys(schedule.take(idle=True)) == [quiet.key]


def test_together_takes_all_that_are_ready():
    a = add(1)
    ready = [add(n, together="t") for n in (2, 3, 4)]
    later = add(5, [a], together="t")
    schedule = Schedule([ready[0], a, *ready[1:], later], nothing)
    assert keys(schedule.take(idle=False)) == [job.key for job in ready]
    assert keys(schedule.take(idle=False)) == [a.key]
    schedule.made(a.key)
    assert keys(schedule.take(idle=False)) == [later.key]


def test_job_put_back_is_taken_again():
    a = add(1, together="t")
    schedule = Schedule([a], nothing)
    schedule.take(idle=False)
    schedule.again(a.key)
    assert keys(schedule.take(idle=False)) == [a.key]


def test_damaged_input_holds_back_those_that_were_ready():
    a = add(1)
    b, c = add(2, [a]), add(3, [a])
    schedule = Schedule([a, b, c], {a.key}.__contains__)
    assert keys(schedule.take(idle=False)) == [b.key]
    assert schedule.remake(a.key)
    schedule.again(b.key)
    assert keys(schedule.take(idle=False)) == [a.key]
    assert schedule.take(idle=False) == []
    schedule.made(a.key)
    assert sorted([*keys(schedule.take(idle=False)), *keys(schedule.take(idle=False))]) == sorted([b.key, c.key])


def test_entry_damaged_for_ever_is_given_up():
    a = add(1)
    schedule = Schedule([a], nothing)
    for _ in range(2):
        schedule.take(idle=False)
        schedule.made(a.key)
        assert schedule.remake(a.key)
    schedule.take(idle=False)
    schedule.made(a.key)
    assert not schedule.remake(a.key)


def test_ten_thousand_jobs_are_scheduled_in_seconds():
    jobs = [add(0)]
    for n in range(1, 10_000):
        jobs.append(add(n, jobs[-1:] if n % 2 else jobs[:1]))
    started = time.process_time()
    schedule = Schedule(jobs, nothing)
    while not schedule.over:
        for ready in schedule.take(idle=True):
            schedule.made(ready.key)
    assert time.process_time() - started < 10  # a quadratic schedule takes minutes; this one takes well under a second


def test_long_chain_fails_without_recursion():
    jobs = [add(0)]
    for n in range(1, 5000):
        jobs.append(add(n, jobs[-1:]))
    schedule = Schedule(jobs, nothing)
    schedule.take(idle=True)
    schedule.fail(jobs[0].key, "broken")
    assert schedule.over
