"""A task of your own in lm-eval's YAML, with the file that holds its documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from kdbench import Refusal, Whole, harness

from ._documents import Documents, place, read

ALLOWED = (
    "task", "task_alias", "tag", "output_type", "test_split", "validation_split", "training_split", "fewshot_split",
    "doc_to_text", "doc_to_target", "doc_to_choice", "description", "target_delimiter", "fewshot_delimiter", "num_fewshot",
    "metric_list", "generation_kwargs", "filter_list", "gen_prefix", "metadata", "repeats", "should_decontaminate",
    "doc_to_decontamination_query",
)  # fmt: skip
DATA = ("dataset_path", "dataset_name", "dataset_kwargs")
"""Where lm-eval would read; `data` stands in their place."""
MOST_BYTES = 200_000


@harness(files=("{path}", "{data}"), groups=("*",), metrics=("acc",), answer="{answer}")
def yaml_task(  # noqa: PLR0913 - each is a key that the user may set
    root: Path | None,
    *,
    path: str,
    data: str,
    answer: Literal["class", "next", "text"] = "class",
    limit: Whole = 0,
    groups: list[str] | None = None,
    cluster: str = "",
) -> dict[str, Any]:
    """One task in one file, read strictly. path: the YAML file; data: its documents, a .jsonl, .csv or .parquet file, which take
    the place of dataset_path and dataset_kwargs, so that both files are part of what a result is known by.

    Text and templates only: `!function`, include, use_prompt, class and hf_evaluate are refused, for they bring in code or fetch
    things; write a harness plugin for what needs code. The same documents serve as examples before a question, without the one
    that is asked. answer, limit, groups, cluster: as for lm_eval_task. The delimiter is the file's, " " where it says none.
    """
    file = place(root, path)
    config = _mapping(file)
    for name in config:
        if name not in (*ALLOWED, *DATA):
            raise Refusal(f"{file}: the key {str(name)[:40]!r} is not read here (allowed: {', '.join(ALLOWED)})")
    for name, text in _texts(config):
        if "__" in text and ("{{" in text or "{%" in text):
            raise Refusal(f"{file}: {name}: a template with '__' could reach into Python; it is not run")
    if not isinstance(config.get("task"), str) or not isinstance(config.get("output_type"), str):
        raise Refusal(f"{file}: the keys task and output_type are needed")
    for metric in config.get("metric_list") or ():
        if not isinstance(metric, Mapping) or metric.get("hf_evaluate"):
            raise Refusal(f"{file}: metric_list: mappings with the name of one of lm-eval's own metrics expected")
    documents = Documents(read(root, data)[: limit or None])
    splits = {
        name: config[name] for name in ("test_split", "validation_split", "training_split", "fewshot_split") if config.get(name)
    }
    kept = {key: value for key, value in config.items() if key not in (*DATA, *splits)}
    metadata = dict(config.get("metadata") or {}) | {"kdbench": {"groups": groups or [], "cluster": cluster, "answer": answer}}
    return {**kept, "test_split": "test", "custom_dataset": lambda **_: {"test": documents}, "metadata": metadata}


def _mapping(file: Path) -> dict[str, Any]:
    """The file's content: plain YAML, without tags, anchors or a second document."""
    from ruamel.yaml import YAML  # noqa: PLC0415 - only this task needs it
    from ruamel.yaml.error import YAMLError  # noqa: PLC0415 - as above
    from ruamel.yaml.events import AliasEvent, ScalarEvent  # noqa: PLC0415 - as above

    try:
        text = file.read_bytes()[: MOST_BYTES + 1].decode("utf-8")
        if len(text) > MOST_BYTES:
            raise Refusal(f"{file}: more than {MOST_BYTES} bytes")
        for event in YAML(typ="safe", pure=True).parse(text):
            tag = getattr(event, "tag", None)
            if isinstance(event, AliasEvent) or getattr(event, "anchor", None):
                raise Refusal(f"{file}: anchors and aliases are not read here")
            if tag is not None and str(tag) != "!":
                what = f"{tag} {event.value}" if isinstance(event, ScalarEvent) else str(tag)
                raise Refusal(
                    f"{file}: {what[:60]!r} stands for code, which a task file may not bring in; write a harness plugin"
                )
        config = YAML(typ="safe", pure=True).load(text)
    except OSError as error:
        raise Refusal(f"{file}: {error.strerror or 'cannot be read'}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise Refusal(f"{file}: not plain YAML: {' '.join(str(error).split())[:160]}") from None
    if not isinstance(config, dict):
        raise Refusal(f"{file}: a mapping expected, not {type(config).__name__}")
    return {str(key): value for key, value in config.items()}


def _texts(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            yield from _texts(part, name or str(key))
    elif isinstance(value, list):
        for part in value:
            yield from _texts(part, name)
    elif isinstance(value, str):
        yield name, value
