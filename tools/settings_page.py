"""``docs/settings.md`` from the schema: ``python tools/settings_page.py`` writes it anew."""

from __future__ import annotations

import sys
from itertools import groupby
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "settings.md"

HEAD = """# All settings

Made from `core/schema.py` by `python tools/settings_page.py`. A setting stands in `config.yaml` under the name of its
section, is changed for one run with `--set training.lr=1e-3`, and in the Config tab, which has the same helps in
Chinese too. The defaults are those of a file that names no recipe; a recipe has its own ([recipes.md](recipes.md)).
Empty is written as nothing or `null`. What is marked *live* can change while a training runs, and with `--resume`.
"""
TITLES = {
    "": "General", "model": "The network: `model`", "tokenizer": "The vocabulary: `tokenizer`",
    "data": "The data: `data`", "training": "The training: `training`", "sampling": "Answers: `sampling`",
    "lora": "Less memory for tuning: `lora`",
}  # fmt: skip


def page() -> str:
    """The whole document."""
    sys.path.insert(0, str(ROOT))
    from core.settings import settings

    parts = [HEAD]
    for section, rows in groupby(settings().values(), key=lambda setting: setting.key.rpartition(".")[0]):
        parts += [f"\n## {TITLES[section]}\n", "| setting | default | allowed | what it is |", "|---|---|---|---|"]
        for setting in rows:
            unit = f" ({setting.unit})" if setting.unit else ""
            live = " *live*" if setting.live else ""
            cells = [
                f"`{setting.key}`{live}", _shown(setting.default), str(setting.allowed()).removesuffix(" or empty"),
                setting.help + unit,
            ]  # fmt: skip
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(parts) + "\n"


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if value in ("", [], ()):
        return "`''`" if value == "" else "`[]`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, (list, tuple)):
        return ", ".join(f"`{item!r}`" for item in value)
    return f"`{value}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
