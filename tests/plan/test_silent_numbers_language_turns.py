"""Row 95 of the catalogue of silent numbers: times of language models beside other work."""

from kdbench.execute.lock import Quiet
from kdbench.execute.schedule import Schedule
from kdbench.plan import plan
from kdbench.suite import load

SUITE = """
suite: speaks
seeds: [0, 1]
targets: [torch_cpu]
data: {dataset: tiny_shakespeare, length: 32}
teacher: {model: gpt2, layers: 2, hidden: 32, heads: 2, fit: scratch}
student: {model: gpt2, layers: 1, hidden: 32, heads: 2}
contenders:
  scratch: [fit: scratch]
  kd: [fit: kd]
axes: [bits_per_byte, latency, tokens_per_second, peak_memory]
measure: {lengths: [16], decode: [16], batches: [4]}
"""


def test_95_times_of_rows_and_of_written_tokens_are_taken_alone(plugins, tmp_path):
    """Eight workers of eight threads each would time each other. Every timing of every scenario has the machine to itself: within
    a run, where all other jobs are over before, and among the runs on this machine, of which none works meanwhile.
    """
    file = tmp_path / "data" / "lm" / "tiny_shakespeare" / "input.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    (tmp_path / "suite.yaml").write_text(SUITE, encoding="utf-8")
    made = plan(load(tmp_path / "suite.yaml", plugins), plugins, tmp_path / "data")
    timed = {job.key for job in made.jobs if job.stage == "latency"}
    asked = {tuple(made.job(key).spec.get(name, 0) for name in ("batch", "length", "decode")) for key in timed}
    assert asked == {(batch, *form) for batch in (1, 4) for form in ((0, 0), (16, 0), (0, 16))}
    schedule, turns = Schedule(made.jobs, lambda key: False), []
    while not schedule.over:
        running = []
        while batch := schedule.take(idle=not running):
            running += [one.key for one in batch]
        assert running, "nothing can go on"
        assert not set(running) & timed or len(running) == 1, "a timing has company"
        turns.append(running)
        for key in running:
            schedule.made(key)
    assert timed <= {key for turn in turns for key in turn}
    assert max(map(len, turns)) > 2, "other jobs do share the machine"
    here, there = Quiet(tmp_path), Quiet(tmp_path)
    assert there.share()
    assert not here.take(), "a run that works keeps a timing waiting"
    there.leave()
    assert here.take()
    assert not there.share()
    assert not there.take()
    here.leave()
