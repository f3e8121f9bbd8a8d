"""Numbers from predictions: every contender on every set, by the form of the metric. Sets are opened one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from kdbench.judge.ask import Metric
from kdbench.judge.cases import Case, cases_of, over_seeds
from kdbench.judge.evidence import Examples, Piece
from kdbench.judge.frames import of_frames
from kdbench.judge.means import of_disparities, of_means
from kdbench.judge.readings import Reading, Spot
from kdbench.judge.resample import Resampler
from kdbench.judge.sets import of_sets
from kdbench.judge.slices import Cuts
from kdbench.store import Entry

FORMS: Mapping[str, Callable[[Metric, Case, Cuts, Resampler], Iterator[tuple[Spot, Reading]]]] = {
    "mean": of_means,
    "set": of_sets,
    "groups": of_disparities,
    "seeds": of_means,
    "frame": of_frames,
}
"""How each form of metric is read."""


def answers(
    metric: Metric,
    pieces: Sequence[Piece],
    entries: Mapping[str, Entry],
    about: Examples,
    cuts: Cuts,
    resampler: Resampler,
) -> Iterator[tuple[Spot, Reading]]:
    """Every reading of a metric of predictions. Groups are read on the clean set."""
    of_predictions = [p for p in pieces if p.evidence == "predictions"]
    tests = [p for p in of_predictions if p.split == "test" and not p.foreign]
    validation = [p for p in of_predictions if p.split == "validation" and metric.asks & {"validation", "teacher_validation"}]
    taps = [p for p in pieces if p.evidence == "features"]
    foreign = sorted({p.shift for p in of_predictions if p.foreign}) if "ood" in metric.asks else [""]
    for name in foreign:
        beside = [p for p in of_predictions if p.shift == name] if name else []
        for shift, severity in dict.fromkeys((p.shift, p.severity) for p in tests if not (name and p.shift)):
            ours = [p for p in tests if (p.shift, p.severity) == (shift, severity)]
            cases = list(cases_of(metric, (*ours, *beside, *validation, *taps), entries, about))
            asked = over_seeds(metric, cases) if metric.form == "seeds" else cases
            if shift and metric.form in ("groups", "frame"):  # they compare groups, which are read on the clean set
                continue
            for case in asked:
                yield from _read(metric, case, cuts.plain if shift or name else cuts, resampler)


def _read(metric: Metric, case: Case, cuts: Cuts, resampler: Resampler) -> Iterator[tuple[Spot, Reading]]:
    if case.problem is None:
        yield from FORMS[metric.form](metric, case, cuts, resampler)
    elif metric.form == "groups":
        yield case.spot, case.problem
        yield from ((replace(case.spot, slice=grouping.column), case.problem) for grouping in cuts.groupings)
    else:
        yield from ((replace(case.spot, slice=cut.name), case.problem) for cut in cuts)
