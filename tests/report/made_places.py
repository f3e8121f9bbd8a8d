"""A made-up board of two tasks whose models are asked elsewhere: a classifier of sentiments, and language models."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
from made_board import frames, suite
from made_scores import METRICS, SCORES, SEEDS, Rows

from kdbench.nouns import Data, Harness, Probe, Use

CLASSIFIERS = {"truncated": 0.80, "tinybert": 0.83, "minilm": 0.825, "bilstm": 0.78, "pruned": 0.845, "teacher-int8": 0.85}
WRITERS = {"scratch": 2.61, "forward_kl": 2.52, "reverse_kl": 2.53, "gkd": 2.50, "seqkd": 2.66, "pruned": 2.71}
PLACES = {  # test rows, what all lose there, how much of the agreement is left, groups
    "sst2": (872, 0.0, 0.96, {}),
    "sst2 on imdb": (500, 0.06, 0.86, {}),
    "sst2 on customer_reviews": (3769, 0.09, 0.84, {}),
    "sst2 on equity_evaluation_corpus": (8640, 0.02, 0.91, {"gender": ("female", "male"), "race": ("A", "E")}),
    "small_lm": (410, 0.0, 0.7, {}),
    "small_lm on wikitext2": (62, 0.45, 0.55, {}),
    "small_lm asks blimp": (1340, 0.0, 0.9, {}),
}  # fmt: skip
MORE = {
    "bits_per_byte": ("quality", "Bits per byte", "bits", "lower", "Sum of -log2 p over all tokens, over the UTF-8 bytes."),
    "token_agreement": ("fidelity", "Agreement on tokens", "fraction", "higher", "Share of tokens: the teacher's first choice."),
    "token_kl_to_teacher": ("fidelity", "KL to the teacher of tokens", "nats", "lower", "Mean over tokens, T = 1."),
    "lm_eval{metric=acc}": ("quality", "lm-eval acc", "fraction", "higher", "As lm-eval computes it."),
    "truncated_inputs": ("quality", "Truncated inputs", "fraction", "none", "Share of rows of which tokens were cut off."),
    "retention": ("quality", "Retention", "ratio", "higher", "share of the teacher's value; undefined where the teacher is no "
                  "better than a constant guess (0.5092); of accuracy: ..."),
}  # fmt: skip


def _classifier(rows, skill, place, i):
    n, loss, kept, groups = PLACES[place]
    top, spread = 0.86 - loss, 1.0 / math.sqrt(n)
    value = skill - loss * (1.0 + 0.5 * (i % 3)) if i >= 0 else top
    rows.seeded("accuracy", value, top, spread)
    if i >= 0:
        agreement = kept - 0.03 * (5 - i) * (1 + loss * 5) / 2 + 0.05 * (i == 1 and place.endswith("imdb"))
        rows.seeded("agreement", agreement, 1.0, spread)
        rows.seeded("kl_to_teacher", 0.02 + 0.5 * (1 - agreement), 0.0, 0.01)
        rows.add("retention", value / top, math.nan)
    for column in groups:
        rows.seeded("accuracy", 0.02 + 0.02 * (max(i, 0) % 3) * (column == "race"), 0.02, 0.008, slice=f"{column}:gap")
        rows.seeded("accuracy", value - 0.02, top - 0.01, 0.01, slice=f"{column}:worst")
    if place.endswith("imdb"):
        rows.add("truncated_inputs", 0.382 if i != 3 else 0.41, 0.382)


def _writer(rows, bits, place, i):
    loss = PLACES[place][1]
    if place.endswith("blimp"):
        rows.seeded("lm_eval{metric=acc}", 0.52 - 0.004 * i, 0.525, 0.027)
        if i >= 0:
            rows.seeded("agreement", 0.9 - 0.02 * i, 1.0, 0.02)
        return
    rows.seeded("bits_per_byte", (bits if i >= 0 else 2.41) + loss, 2.41 + loss, 0.02 + 0.03 * loss)
    if i >= 0:
        rows.seeded("token_agreement", PLACES[place][2] - 0.02 * i, 1.0, 0.008)
        rows.seeded("token_kl_to_teacher", 0.2 + 0.05 * i + loss / 4, 0.0, 0.02)


def _standings(scores):
    out = []
    keep = (
        "contender",
        "metric",
        "title",
        "unit",
        "better",
        "value",
        "low",
        "high",
        "delta",
        "delta_low",
        "delta_high",
        "reason",
    )
    for task, part in scores[(scores.seed == -1) & (scores["slice"] == "")].groupby("task", sort=False):
        metric = part.loc[part["axis"] == "quality", "metric"].iloc[0]
        part = part[part["metric"] == metric].sort_values("value", ascending=metric == "bits_per_byte", kind="stable")
        place = 0
        for row in part.itertuples():
            place += row.contender != "teacher"
            ranked = (0, 0) if row.contender == "teacher" else (max(1, place - 1), min(6, place + 1))
            verdict = (
                "reference" if row.contender == "teacher" else "INCONCLUSIVE" if row.delta_high > 0 > row.delta_low else "NO"
            )
            more = {"verdict": verdict, "scope": "checkpoint", "seeds": 3, "complete": True, "status": "ok"}
            held = {name: getattr(row, name) for name in keep}
            out.append({"task": task, "target": "torch_cpu", **held, "rank_low": ranked[0], "rank_high": ranked[1], **more})
    return pd.DataFrame(out)


def away(name=lambda text: text) -> dict:
    """All fields of a board of models that are asked at home, on probes, and by lm-eval. name: what is done to every name."""
    before = dict(METRICS)  # the other boards have rows of every metric that is known
    METRICS.update(MORE)
    try:
        found = _rows(name)
    finally:
        METRICS.clear()
        METRICS.update(before)
    scores = pd.DataFrame(found)[list(SCORES)]
    scores["n"] = scores["n"].astype("Int64")
    board = {key: of.iloc[:0] if isinstance(of, pd.DataFrame) else of for key, of in frames().items()}
    return {
        **board, "scores": scores, "standings": _standings(scores), "suite": _suite(name),
        "facts": {"versions": {"kdbench": "0.1.0"}, "tasks": {
            _named(task, name): {"n": {"test": n}, "chance": 0.5 if "asks" in task else None}
            for task, (n, *_) in PLACES.items()
        }},
    }  # fmt: skip


def _rows(name):
    rng, found = np.random.default_rng(3), []
    for place, (n, *_) in PLACES.items():
        held, draw = (WRITERS, _writer) if place.startswith("small_lm") else (CLASSIFIERS, _classifier)
        for i, (who, skill) in enumerate({"teacher": math.nan, **held}.items(), start=-1):
            rows = Rows(rng, _named(place, name), who if who == "teacher" else name(who), "torch_cpu", n)
            draw(rows, skill, place, i)
            found += rows.rows
    return found


def _named(place, name):
    """A task's name, whose words "on" and "asks" stay."""
    for word in (" on ", " asks "):
        if word in place:
            return word.join(name(part) for part in place.split(word))
    return name(place)


def _suite(name):
    made = []
    for place in PLACES:
        home = place.split(" on ")[0].split(" asks ")[0]
        held = CLASSIFIERS if home == "sst2" else WRITERS
        task = suite(tuple(name(who) for who in held), (name(home),)).tasks[0]
        limit = {"test": 500} if place.endswith("imdb") else {}
        task = replace(
            task, name=_named(place, name), data=Data(Use("texts"), limit=limit), home=name(home) if place != home else ""
        )
        if " asks " in place:
            task = replace(task, harness=Harness((Use("blimp"),), limit=1340))
        elif place != home:
            task = replace(task, probes=(Probe(Use("imdb")),))
        made.append(task)
    return replace(suite(), seeds=SEEDS, tasks=tuple(made), targets=(Use("torch_cpu"),), axes=(), gates=())
