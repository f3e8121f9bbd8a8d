"""The reference of a text that a model writes, from what a task of lm-eval calls its target: as lm-eval itself takes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kdbench.nouns import ALTERNATIVE, Refusal


def reference(task: Any, document: Mapping[str, Any], target: Any) -> str:
    """A text, or several with ALTERNATIVE between them, each once.

    Where the task names choices, the target is the number of one. A list is several right answers, but where lm-eval has read a
    single text such as "[1, 2]" as one: it then compares with the text. Raises Refusal for what is no text, number or list of
    them.
    """
    if task.config.doc_to_choice is not None:
        return _plain(task, _choice(task, task.doc_to_choice(document), target))
    if not isinstance(target, list | tuple):
        return _plain(task, target)
    if not task.multiple_target and _written(task):
        return str(target)
    if not target:
        raise Refusal(f"{task.config.task}: a document has an empty list of right answers (allowed: one at least)")
    return ALTERNATIVE.join(dict.fromkeys(_plain(task, one) for one in target))


def _written(task: Any) -> bool:
    """Whether the target is the text of a template, and no field of the documents."""
    made = task.config.doc_to_target
    return isinstance(made, str) and made not in task.features


def _choice(task: Any, choices: Any, target: Any) -> Any:
    number = isinstance(target, int | np.integer) and not isinstance(target, bool)
    if not number or not -len(choices) <= int(target) < len(choices):
        raise Refusal(f"{task.config.task}: the target {str(target)[:60]!r} is not the number of one of {len(choices)} choices")
    return choices[int(target)]


def _plain(task: Any, value: Any) -> str:
    if not isinstance(value, str | int | float | np.integer | np.floating):
        raise Refusal(f"{task.config.task}: a target is a {type(value).__name__} (allowed: a text, a number, or a list of them)")
    if ALTERNATIVE in str(value):
        raise Refusal(f"{task.config.task}: a target holds the character {ALTERNATIVE!r}, which stands between alternatives")
    return str(value)
