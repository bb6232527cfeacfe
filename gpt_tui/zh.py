"""Chinese for the texts of ``i18n``, put together from a file per area.

Words: run 运行（记录）, recipe 配方, checkpoint 检查点, token 词元, vocabulary 词表, loss 损失, step 步,
learning rate 学习率, row 条, evaluation 评估, training/validation data 训练集/验证集, prompt 提示词, setting 设置.
"""

from __future__ import annotations

from . import (
    zh_app,
    zh_bench,
    zh_chat,
    zh_cli,
    zh_config,
    zh_data_runs,
    zh_errors,
    zh_export,
    zh_faults,
    zh_foreign,
    zh_import,
    zh_recipes,
    zh_serve,
    zh_settings,
    zh_tuning,
)

PARTS = (
    zh_app,
    zh_config,
    zh_chat,
    zh_data_runs,
    zh_recipes,
    zh_serve,
    zh_cli,
    zh_errors,
    zh_faults,
    zh_settings,
    zh_foreign,
    zh_import,
    zh_export,
    zh_tuning,
    zh_bench,
)  # the texts of a new area: its own zh_*.py, named here

TEXTS: dict[str, str] = {text: chinese for part in PARTS for text, chinese in part.TEXTS.items()}
