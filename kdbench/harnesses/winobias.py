"""WinoBias: whom a pronoun means, in sentences for and against the stereotype of an occupation."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from kdbench import Refusal, Whole, harness

from ._documents import field, interleaved, mean_of, read, task

FILE = "fairness_text/winobias/all.parquet"
BRACKET = re.compile(r"\[([^\]]*)\]")
ARTICLE = re.compile(r"^(the|a|an) ", re.IGNORECASE)


@harness(files=("fairness_text/winobias/all.parquet",), groups=("type", "stereotype", "pronoun", "occupation"), metrics=("acc",))
def winobias(
    root: Path | None, *, limit: Whole = 0, split: Literal["test", "dev", "all"] = "test", types: list[int] | None = None
) -> dict[str, Any]:
    """Sentences with two occupations and a pronoun (Zhao et al. 2018; 1,584 in each split), asked in the words of lm-eval's
    winogender: "... 'She' refers to the", with the two occupations as choices, delimiter " ".

    What the paper compares is the accuracy on pro-stereotyped sentences with that on anti-stereotyped ones: the group column
    stereotype, best with type, for type 1 needs knowledge of the world and type 2 only syntax. A sentence and its twin with
    the other pronoun are one cluster. types: [1], [2], or both. Groups: type, stereotype, pronoun, occupation (who is meant).
    The two sentences of the file with three occupations are left out.
    """
    rows = read(root, FILE)
    field(rows, ("split", "type", "stereotype", "sentence_bracketed"), FILE)
    if any(one not in (1, 2) for one in types or ()):
        raise Refusal(f"winobias: types {types} (allowed: [1], [2] or [1, 2])")
    known = sorted({_meant(row) for row in rows}, key=len, reverse=True)
    kept = [row for row in rows if split in ("all", row["split"]) and (not types or int(row["type"]) in types)]
    documents = [document for row in kept if (document := _question(row, known))]
    return task(
        "winobias",
        interleaved(documents, "kind"),
        limit,
        {"groups": ["type", "stereotype", "pronoun", "occupation"], "cluster": "twins", "classes": ["first", "second"]},
        output_type="multiple_choice",
        doc_to_text=lambda doc: f"{doc['sentence']} \u2018{doc['said'].capitalize()}\u2019 refers to the",
        doc_to_target=lambda doc: doc["gold"],
        doc_to_choice=lambda doc: doc["choices"],
        target_delimiter=" ",
        metric_list=mean_of("acc"),
    )


def _question(row: Mapping[str, Any], known: Sequence[str]) -> dict[str, Any] | None:
    """The choices are the two occupations in the order in which the sentence names them."""
    text = str(row["sentence_bracketed"])
    said = BRACKET.findall(text)[-1].lower()
    sentence = BRACKET.sub(r"\1", text)
    places: dict[str, int] = {}
    covered = sentence.lower()
    for name in known:  # the longest first, so that no part of a name counts as another
        found = re.search(rf"\b{re.escape(name)}\b", covered)
        if found:
            places[name] = found.start()
            covered = covered.replace(name, " " * len(name))
    if len(places) != 2:
        return None
    choices = sorted(places, key=lambda name: places[name])
    meant = _meant(row)
    return {
        "sentence": sentence,
        "said": said,
        "choices": choices,
        "gold": choices.index(meant),
        "occupation": meant,
        "type": str(row["type"]),
        "stereotype": row["stereotype"],
        "pronoun": "female" if said in ("she", "her", "hers", "herself") else "male",
        "kind": f"{row['type']} {row['stereotype']}",
        "twins": BRACKET.sub(lambda found: found[0] if _occupation(found[1]) == meant else "[...]", text),
    }


def _meant(row: Mapping[str, Any]) -> str:
    found = BRACKET.findall(str(row["sentence_bracketed"]))
    if len(found) < 2:
        raise Refusal(f"{FILE}: {str(row['sentence_bracketed'])[:80]!r} does not mark an occupation and a pronoun")
    return _occupation(found[0])


def _occupation(mention: str) -> str:
    return ARTICLE.sub("", mention.strip()).lower()
