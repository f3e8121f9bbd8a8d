"""The list of seeded bugs stays true, and each is caught (slow; `make mutants` prints a table)."""

from collections import Counter

import pytest
from run_mutants import CAUGHT, ROOT, judge, mutants, sound

MUTANTS = mutants()


def test_every_seeded_bug_still_applies():
    """Its old text is in its file exactly once, what it becomes is Python, and its test files are there."""
    for one in MUTANTS:
        compile(one.mutated, one.file, "exec")
        assert one.mutated != (ROOT / one.file).read_text(encoding="utf-8"), one.title
        assert one.tests, one.title
        assert all((ROOT / "tests" / "judge" / name).is_file() for name in one.tests), one.title


def test_there_are_enough_of_them_everywhere_and_each_has_a_title():
    assert len({one.title for one in MUTANTS}) == len(MUTANTS) >= 40
    rooms = Counter(one.file.rpartition("/")[0] for one in MUTANTS)
    least = {"kdbench/metrics": 40, "kdbench/judge": 40, "kdbench/judge/derived": 8, "kdbench/judge/discovery": 4}
    assert {room: rooms[room] for room in least if rooms[room] < least[room]} == {}


@pytest.fixture(scope="module")
def without_any_bug(request):
    """All tests of the bugs that were asked for pass: what always fails has caught nothing."""
    asked = [item.callspec.params["mutant"] for item in request.session.items if "mutant" in getattr(item, "fixturenames", ())]
    fine, said = sound(asked)
    assert fine, said


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("without_any_bug")
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.title.replace(" ", "_"))
def test_a_seeded_bug_is_caught(mutant):
    verdict = judge(mutant)
    assert verdict.outcome == CAUGHT, verdict.said
