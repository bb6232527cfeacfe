"""The model card: what the model is, what it learnt from, how well it answers – as measured, not as hoped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

from ..runs import LoadedModel, Run
from ..skeleton import count_parameters
from ..text import printable, shorten

#: Settings of the training that say how it was done.
TRAINING = (
    "batch_size", "lr", "min_lr", "weight_decay", "beta1", "beta2", "warmup_ratio", "grad_clip", "max_steps",
    "max_epochs", "max_minutes", "seed", "optimizer",
)  # fmt: skip
PROBES = 5
LONGEST = 200  # cells of a question or an answer

_PARTS = {
    "valid": "validation questions",
    "valid_unseen": "questions with names and values that training never showed",
    "train": "training questions",
}


def model_card(run: Run, loaded: LoadedModel, architecture: str) -> str:
    """``README.md`` in Markdown, with the head that the Hugging Face hub reads. Files are named without their
    folders: a card is made to be given away."""
    report = run.report() or {}
    settings = loaded.config
    count = sum(count_parameters(settings.model, loaded.tokenizer.vocab_size).values())
    parts = [
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\ntags:\n- gpt-tui\n---",
        f"# {_text(run.name)}",
        f"A GPT of {count:,} parameters. {_made(loaded, report)} {_text(settings.description)}".rstrip(),
        _use(loaded),
        "## Data\n\n" + _table(_data(loaded, report)),
        "## Settings\n\n" + _table(_settings(loaded, architecture, trained="imported" not in report)),
        "## Results\n\n" + _results(loaded, report),
        _probes(report.get("probes")),
        "## Limits\n\n"
        f"The model knows no more than its data. It reads at most {settings.model.seq_len:,} tokens, question and "
        "answer together. What it says is not checked by anything.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _made(loaded: LoadedModel, report: dict[str, Any]) -> str:
    if "imported" in report:
        return "It was not trained with gpt-tui, which only imported it."
    return f"It was trained with gpt-tui (recipe `{_text(loaded.config.recipe)}`); this is step {loaded.step:,}."


def _use(loaded: LoadedModel) -> str:
    sampling = loaded.config.sampling
    stop = (
        f", tokenizer=tokenizer, stop_strings={json.dumps(sampling.stop, ensure_ascii=False)}" if sampling.stop else ""
    )
    text = f"""\
## Use

```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder)
messages = [{{"role": "user", "content": "…"}}]
inputs = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt", return_dict=True)
tokens = model.generate(**inputs{printable(stop)})
print(tokenizer.decode(tokens[0, inputs["input_ids"].shape[1]:], skip_special_tokens=True))
```

The chat template is the run's own prompt (`{loaded.config.data.template}`)."""
    if sampling.repetition_penalty != 1.0:
        text += (
            f" The repetition penalty of {sampling.repetition_penalty:g} counts the question's tokens too here; in "
            "gpt-tui it counts the answer's only, so that answers may differ."
        )
    return text


def _data(loaded: LoadedModel, report: dict[str, Any]) -> Iterable[tuple[str, Any]]:
    data = _group(report, "data")
    settings = loaded.config
    origin = _group(report, "imported")
    if origin:
        yield "imported", origin.get("kind")
        yield "from", PurePath(str(origin.get("source"))).name
        files = origin.get("files")
        for file in files if isinstance(files, list) else []:
            if isinstance(file, dict):
                yield f"SHA-256 of {PurePath(str(file.get('name'))).name}", file.get("sha256")
        return
    yield "training file", PurePath(str(data.get("train_file") or settings.data.train)).name
    yield "training rows used", data.get("train_used")
    yield "training tokens", _group(data, "train").get("tokens")
    yield "validation file", PurePath(str(data.get("valid_file") or settings.data.valid or "")).name or None
    yield "validation rows used", data.get("valid_used")
    yield "rows left out of validation because they are trained on", data.get("leaks") or None
    if settings.training.start_from:
        yield "begun with the weights of", PurePath(settings.training.start_from).name
    for name, digest in _group(data, "sha256").items():
        yield f"SHA-256 of {PurePath(name).name}", digest


def _settings(loaded: LoadedModel, architecture: str, trained: bool) -> Iterable[tuple[str, Any]]:
    yield "architecture", architecture
    yield "vocabulary", f"{loaded.tokenizer.vocab_size} tokens, {loaded.config.tokenizer.kind}"
    yield from ((f"model.{key}", value) for key, value in loaded.config.model.model_dump().items())
    if trained:
        yield from ((f"training.{key}", getattr(loaded.config.training, key)) for key in TRAINING)
    yield from ((f"sampling.{key}", value) for key, value in loaded.config.sampling.model_dump().items())


def _results(loaded: LoadedModel, report: dict[str, Any]) -> str:
    if "imported" in report:
        return "Nothing was measured."
    if not report:
        return "The training has not come to its end, and nothing was measured."
    machine = _group(report, "machine")
    rows: list[tuple[str, Any]] = [
        ("steps", report.get("steps")),
        ("passes over the data", report.get("epochs")),
        ("training loss (nats per token)", report.get("loss")),
        ("validation loss", report.get("eval_loss")),
        ("best validation loss", report.get("best_loss")),
        ("at step", report.get("best_step")),
        ("training time (s)", report.get("train_seconds")),
        ("processor", machine.get("processor")),
        ("cores", machine.get("cores")),
    ]
    exact = _group(report, "exact")
    rows += [(f"{_PARTS.get(part, part)} answered exactly", _rate(exact[part])) for part in exact]
    note = ""
    if loaded.step != report.get("steps"):
        note = f"\n\nMeasured on the last checkpoint of the training; the weights here are those of step {loaded.step}."
    return _table(rows) + note


def _rate(counts: Any) -> str | None:
    try:
        low, high = counts["ci95"]
        return (
            f"{counts['exact']} of {counts['total']} ({counts['exact_rate']:.1%}, 95 % interval {low:.1%} to "
            f"{high:.1%}); always the commonest answer: {counts['majority_rate']:.1%}"
        )
    except (KeyError, TypeError, ValueError):  # a report that others have written
        return None


def _group(report: dict[str, Any], key: str) -> dict[str, Any]:
    value = report.get(key)
    return value if isinstance(value, dict) else {}


def _probes(probes: Any) -> str:
    asked = [probe for probe in probes if isinstance(probe, dict)] if isinstance(probes, list) else []
    latest = {str(probe.get("prompt")): probe for probe in asked}
    if not latest:
        return ""
    lines = ["| question | answer | expected |", "|---|---|---|"]
    for probe in list(latest.values())[:PROBES]:
        cells = (str(probe.get(key) or "") for key in ("prompt", "answer", "expected"))
        lines.append("| " + " | ".join(_text(shorten(cell, LONGEST)) for cell in cells) + " |")
    return "Asked at the end of the training:\n\n" + "\n".join(lines)


def _table(rows: Iterable[tuple[str, Any]]) -> str:
    shown = [f"| {_text(name)} | {_value(value)} |" for name, value in rows if value is not None]
    return "\n".join(["| | |", "|---|---|", *shown])


def _value(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return _text(json.dumps(value, ensure_ascii=False))
    return _text(str(value))


def _text(text: str) -> str:
    """Text that is neither Markdown nor HTML, on one line."""
    escaped = printable(text).replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    for mark in "|`*[]":
        escaped = escaped.replace(mark, "\\" + mark)
    return escaped
