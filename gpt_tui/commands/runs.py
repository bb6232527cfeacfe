"""``gpt-tui runs``: list, show, export, delete."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from ..format import duration, json_line, number, percent, table
from ..i18n import _
from ..verdicts import test_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "action", metavar="list|show|export|delete", nargs="?", default="list",
        choices=["list", "show", "export", "delete"], help=_("export: losses, rates and times as a table (CSV)"),
    )  # fmt: skip
    parser.add_argument("run", metavar="RUN", nargs="?", help=_("which run"))
    parser.add_argument("--csv", metavar="FILE", type=Path, help=_("where export writes (default: standard output)"))
    parser.add_argument("--yes", action="store_true", help=_("delete without asking"))
    parser.add_argument("--json", action="store_true", help=_("as JSON"))


def run(args: argparse.Namespace) -> int:
    from core.default import read_default
    from core.errors import RunError
    from core.runs import find_run, list_runs, runs_folder
    from core.text import printable

    folder = runs_folder(args.runs_dir)
    if args.action == "list" and args.run is not None:
        raise RunError("runs list {name}: a list takes no name; one run: gpt-tui runs show {name}", name=args.run)
    if args.csv is not None and args.action != "export":
        raise RunError("--csv: only for gpt-tui runs export RUN")
    if args.action == "list":
        found = [summary(run) for run in list_runs(folder)]
        default = read_default(folder)
        for item in found:
            if default is not None and item["run"] == default.run:
                item["default"] = default.checkpoint
        return _list(found, args.json, str(folder))
    if args.run is None and args.action == "delete":
        raise RunError("which run? gpt-tui runs delete NAME")
    target = find_run(folder, args.run)
    if args.action == "export":
        return _export(target, args.csv, args.json)
    if args.action == "show":
        return _show(target, args.json)
    path = printable(str(target.path))
    if not args.yes:
        if not sys.stdin.isatty():
            raise RunError("{run}: add --yes to delete it without being asked", run=target.name)
        print(_("delete {path} with all its checkpoints? [y/N] ").format(path=path), end="", flush=True)
        if sys.stdin.readline().strip().lower() not in ("y", "yes", "是"):
            return 1
    target.delete()
    print(_("deleted: {path}").format(path=path))
    return 0


def _export(run: Any, file: Path | None, as_json: bool) -> int:
    from core.errors import RunError
    from core.storage import write_text
    from core.text import printable

    from ..metrics_table import as_csv, measured

    if as_json and file is not None:
        raise RunError("--csv and --json exclude each other")
    if as_json:
        print(json_line(measured(run.read_metrics())))
        return 0
    text = as_csv(run.read_metrics())
    if file is None:
        sys.stdout.write(text)
        return 0
    try:
        write_text(file, text)
    except OSError as problem:
        raise RunError(
            "{path}: cannot be written: {reason}", path=str(file), reason=problem.strerror or str(problem)
        ) from None
    print(_("written: {path}").format(path=printable(str(file))))
    return 0


def summary(run: Any) -> dict[str, Any]:
    """What a list of runs shows of one, from its report or, while there is none, from its events."""
    from core.errors import UserError
    from core.events import Eval, Finished, Started, Step

    try:
        recipe, report = run.config().recipe, run.report()
    except UserError as error:
        return {"run": run.name, "state": "damaged", "problem": str(error)}
    found: dict[str, Any] = {"run": run.name, "state": run.state(), "recipe": recipe}
    numbers: dict[str, Any] = {}
    if report:
        numbers = {key: report.get(key) for key in ("parameters", "steps", "best_loss", "train_seconds")}
        exact = report.get("exact")
        part = (exact.get("valid") or exact.get("train")) if isinstance(exact, dict) else None
        numbers["exact_rate"] = part.get("exact_rate") if isinstance(part, dict) else None
    else:
        for event in run.read_metrics():
            if isinstance(event, Started):
                numbers["parameters"] = event.parameters
            elif isinstance(event, Step):
                numbers |= {"steps": event.step, "train_seconds": event.elapsed}
            elif isinstance(event, Finished):  # stopped, a little after the last line of the log
                numbers |= {"steps": event.steps, "train_seconds": event.train_seconds}
            elif isinstance(event, Eval):
                numbers["best_loss"] = event.best
    return found | {key: _number(value) for key, value in numbers.items()}


def _origin(about: Any) -> list[str]:
    """Where an imported run came from; nothing for one that was trained here."""
    if not isinstance(about, dict):
        return []
    from core.text import printable

    found = [_("imported from: {source}").format(source=printable(str(about.get("source"))))]
    for file in about.get("files") or []:
        if isinstance(file, dict):
            found.append(printable(f"  {file.get('name')}  {file.get('bytes')}  {file.get('sha256')}"))
    return found


def _number(value: Any) -> int | float | None:
    """A number of a file that others may have written, else None."""
    return value if type(value) in (int, float) and abs(value) < 1e15 else None


def _list(found: list[dict[str, Any]], as_json: bool, folder: str) -> int:
    from core.text import printable

    if as_json:
        print(json_line(found))
        return 0
    if not found:
        print(_("no runs in {folder}; train one: gpt-tui --no-ui train").format(folder=printable(folder)))
        return 0
    rows = [
        [
            printable(item["run"]), _(item["state"]), printable(str(item.get("recipe") or "–")),
            f"{item['parameters']:,}" if item.get("parameters") else "–", str(item.get("steps") or "–"),
            number(item.get("best_loss")), percent(item.get("exact_rate")), duration(item.get("train_seconds")),
            _("default: {checkpoint}").format(checkpoint=printable(item["default"])) if item.get("default") else "",
        ]
        for item in found
    ]  # fmt: skip
    header = [
        _("run"),
        _("state"),
        _("recipe"),
        _("parameters"),
        _("steps"),
        _("best loss"),
        _("exact"),
        _("time"),
        "",
    ]
    print("\n".join(table(rows, header, right=range(3, 8))))
    return 0


def _show(run: Any, as_json: bool) -> int:
    from core.checkpoint import step_checkpoints
    from core.config import to_yaml
    from core.text import printable

    report = run.report()
    if as_json:
        print(json_line({**summary(run), "report": report, "settings": run.config().to_dict()}))
        return 0
    _list([summary(run)], False, "")
    print(_("checkpoints: {names}").format(
        names=", ".join([p.name for p in step_checkpoints(run.checkpoints)]
                        + [n for n in ("best", "int8") if (run.checkpoints / n).is_dir()]) or "–"))  # fmt: skip
    for line in _origin((report or {}).get("imported")):
        print(line)
    for probe in (report or {}).get("probes") or []:
        if isinstance(probe, dict):
            mark = "✓" if probe.get("exact") else "✗"
            print(printable(f"  {mark} {probe.get('prompt')} → {probe.get('answer')}"))
    test = (report or {}).get("test")
    if isinstance(test, dict) and (run.path / str(test.get("responses"))).is_file():
        path = str(run.path / str(test.get("responses")))
        print(test_line(test.get("total"), path, test.get("exact"), _number(test.get("loss"))))
    print(printable(to_yaml(run.config().to_dict()), keep_newlines=True), end="")
    return 0
