"""Chinese for ``gpt-tui import``."""

TEXTS: dict[str, str] = {
    "make a run of a model that was trained elsewhere": "把别处训练的模型导入为运行记录",
    "Make a run of a model that was trained elsewhere.": "把别处训练的模型导入为运行记录。",
    "the new run's name (default: made from the source)": "新运行的名称（默认：取自来源）",
    "the new run as JSON": "以 JSON 输出新的运行",
}
