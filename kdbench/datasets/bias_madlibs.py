"""Bias madlibs: one sentence with every identity in it; a fair classifier judges all alike."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from kdbench import Refusal, Samples, dataset
from kdbench.datasets._text import numbered, read_parts

CLASSES = ("BAD", "NOT_BAD")
FORMS = {
    "name_adj": r"(?:\S+ )+?is an? \S+ (.+)",
    "you_are_adj": r"You are an? \S+ (.+)",
    "being_adj": r"Being (.+) is \S+\.",
    "verb_adj": r"\S+ (.+)",
    "am_hate_adj": r"i (?:am|hate) (.+)",
}
"""Template -> where the identity stands. `you_occupation` names an occupation and no identity."""

KINDS = {
    "gender": "female male nonbinary trans transgender",
    "orientation": "bisexual gay heterosexual homosexual lesbian lgbt lgbtq queer straight",
    "origin": "african,african american,american,asian,black,canadian,chinese,european,hispanic,indian,japanese,latina,latino,"
    "latinx,mexican,middle eastern,white",
    "religion": "buddhist catholic christian jewish muslim protestant sikh taoist",
    "age": "elderly,middle aged,millenial,old,older,teenage,young,younger",
    "disability": "blind deaf paralyzed",
}


@dataset(
    kind="text",
    files=("fairness_text/bias_madlibs_77k/test.parquet",),
    licence="Apache-2.0",
    groups=("identity", "kind", "template"),
)
def bias_madlibs(root: Path | None) -> Samples:
    """Is a templated sentence an insult? 75,700 sentences, all test, half "BAD", that name one of 50 identities (Dixon 2018).

    Labels follow the adjective or verb alone, so every identity has the same share of both: any gap between groups is bias.
    "NOT_BAD" is the decision in favour. Groups: identity, as it stands in the text (found by the template); kind of identity
    (gender, orientation, origin, religion, age, disability; assigned here); template. Cluster: the sentence without its
    identity, which occurs once with each. The 864 sentences about occupations name no identity and are left out. Offensive.
    """
    parts = read_parts(root, {"test": "fairness_text/bias_madlibs_77k/test.parquet"}, ("text", "label", "Template"))
    kept = [i for i, name in enumerate(parts.column("Template")) if name != "you_occupation"]
    ids = parts.ids()[kept]
    parts = parts.where(lambda sheet, row: sheet.columns["Template"][row] != "you_occupation")
    texts, templates = parts.column("text"), parts.column("Template")
    spans = [_span(text, template) for text, template in zip(texts, templates, strict=True)]
    identity = [text[start:end] for text, (start, end) in zip(texts, spans, strict=True)]
    without = [f"{text[:start]}_{text[end:]}" for text, (start, end) in zip(texts, spans, strict=True)]
    kinds = {term: kind for kind, terms in KINDS.items() for term in (terms.split(",") if "," in terms else terms.split())}
    return Samples(
        "text",
        {"text": parts.texts("text")},
        parts.labels("label", CLASSES),
        ids,
        CLASSES,
        "Apache-2.0",
        "unintended-ml-bias-analysis, bias_madlibs_77k",
        {
            "identity": np.array(identity),
            "kind": np.array([kinds[term] for term in identity]),
            "template": np.array(templates),
        },
        parts.split(),
        numbered(without),
        positive="NOT_BAD",
        notes=("864 sentences about occupations are left out: they name no identity",),
    )


def _span(text: str, template: str) -> tuple[int, int]:
    """Where the identity stands in a text of this template."""
    found = re.fullmatch(FORMS.get(template, r"(?!)()"), text)
    if not found:
        raise Refusal(f"bias_madlibs: {text[:60]!r} does not follow the template {template[:40]!r} (allowed: {', '.join(FORMS)})")
    return found.span(1)
