"""Chinese for the Config tab: the settings' help, their groups, units and bounds, and the tab's own words."""

TEXTS: dict[str, str] = {
    # groups
    "Recipe": "配方",
    "Model": "模型",
    "Tokenizer": "分词器",
    "Training": "训练",
    "Sampling": "采样",
    # units
    "[unit] tokens": "词元",
    "[unit] bytes": "字节",
    "[unit] rows": "行",
    "[unit] steps": "步",
    "[unit] epochs": "轮",
    "[unit] minutes": "分钟",
    "[unit] evaluations": "次评估",
    "[unit] nats per token": "奈特/词元",
    # what may be written
    "allowed: {words}": "可填：{words}",
    "must not be empty": "不能为空",
    "at most {0} entries": "最多 {0} 项",
    # what does not fit together
    "n_embd ({0}) must be a multiple of n_head ({1})": "n_embd（{0}）必须是 n_head（{1}）的倍数",
    "n_head ({0}) must be a multiple of n_kv_head ({1})": "n_head（{0}）必须是 n_kv_head（{1}）的倍数",
    "with rope, head_dim (or n_embd / n_head) must be even, found {0}":
        "使用 rope 时 head_dim（或 n_embd / n_head）必须是偶数，现在是 {0}",
    "min_lr ({0}) must not be above lr ({1})": "min_lr（{0}）不能大于 lr（{1}）",
    "min_new_tokens ({0}) must not be above max_new_tokens ({1})":
        "min_new_tokens（{0}）不能大于 max_new_tokens（{1}）",
    # help: recipe
    # help: model
    # help: tokenizer
    # help: data
    "prompt": "问题",
    "expected": "标准答案（可留空）",
    # help: training
    # help: sampling
    # the tab
    "↑ ↓ fields · Esc out": "↑ ↓ 选字段 · Esc 离开",
    "Find": "查找",
    "Only changed": "只看改动",
    "Reset": "还原",
    "Reset all": "全部还原",
    "Save": "保存",
    "As recipe": "存为配方",
    "Copy": "复制",
    "Take the settings of another recipe.": "换用另一个配方的设置。",
    "Show only the settings with certain words in their name or help.": "只显示名称或说明含有某些词的设置。",
    "Show only what is not as in the recipe, or everything again.": "只显示与配方不同的设置，或恢复全部显示。",
    "Put this field back to the recipe's value.": "把这一项还原为配方的值。",
    "Put all fields back to the recipe's values; again: take that back.": "全部还原为配方的值；再按一次撤销还原。",
    "Write the settings to config.yaml; comments and order in it are kept.": "写入 config.yaml，保留其中的注释和顺序。",
    "Save all settings as a new recipe file.": "把全部设置存为新的配方文件。",
    "Copy the command that does the same training without the app.": "复制不用界面进行同样训练的命令。",
    "Train a new run with these settings.": "用这些设置开始新的训练。",
    "(empty)": "（空）",
    "on": "开",
    "off": "关",
    "auto": "auto",
    "add": "添加",
    "open": "可改",
    "fixed during the run": "训练中不可改",
    "recipe: {value}": "配方：{value}",
    "{n} entries": "{n} 项",
    "{n} changed": "已改 {n} 项",
    "as the recipe": "与配方相同",
    "no setting is like that": "没有这样的设置",
    "▶ {run} is being trained: only fields marked 'open' can change.":
        "▶ 正在训练 {run}：只能修改标有“可改”的设置。",
    "sent to the training: {changes}": "已发送给训练：{changes}",
    "copied; where the terminal does not allow that, mark it with the mouse": "已复制；若终端不支持，请用鼠标选取",
    "all settings are as in the recipe; the same key takes that back": "全部设置已还原为配方的值；再按同一键可撤销",
    "{path} says this already": "{path} 已经是这样，无需改动",
    "saved in {path}; changed there meanwhile, and kept: {names}": "已写入 {path}；文件中期间的改动已保留：{names}",
    "saved in {path}: {names}": "已写入 {path}：{names}",
    "saved; train it anywhere with: gpt-tui --no-ui train --recipe {path}":
        "已保存；训练命令：gpt-tui --no-ui train --recipe {path}",
    "not saved, because something is wrong with it: {names}": "有误而未保存：{names}",
    "not started: something is wrong with {names}": "未开始：{names} 有误",
    # questions
    "Take the recipe {name}?": "换用配方 {name}？",
    "You have changed: {names}": "你改动了：{names}",
    "Cancel (n)": "取消 (n)",
    "Keep changes (k)": "保留改动 (k)",
    "Drop changes (d)": "放弃改动 (d)",
    "Replace": "覆盖",
    "Save all settings as a recipe": "把全部设置存为配方",
    "Name: letters, digits, '.', '_' and '-'": "名称：字母、数字、“.”、“_”、“-”",
    "What it is for": "用途",
    "✗ not a name for a recipe": "✗ 不能用作配方名",
    "! replaces {path}": "! 将覆盖 {path}",
    "will be written to {path}": "将写入 {path}",
    # what it will cost
    "{n:,} parameters": "{n:,} 个参数",
    "at most {n:,}": "最多 {n:,}",
    "{most} tokens a step": "每步{most} 个词元",
    "about {n:,} tokens a step ({most})": "每步约 {n:,} 个词元（{most}）",
    "about {size} of memory": "约需内存 {size}",
    "about {time}": "约 {time}",
    "{n:,} steps": "{n:,} 步",
    "{time} for {work}": "{time}，共 {work}",
    "{n:.3g} epochs": "{n:.3g} 轮",
    "1 epoch": "1 轮",
    "no such run or checkpoint": "没有这个运行记录或检查点",
    "time not known yet": "时间尚不清楚",
    "as fast as {run}": "速度同 {run}",
    "in proportion to {run}": "按 {run} 推算",
    "from the speed of this machine": "按本机速度估算",
    "the time budget": "时间预算",
    "weights": "权重",
    "gradients": "梯度",
    "optimizer's memory": "优化器的记忆",
    "activations": "激活",
    "the program": "程序本身",
    "the same without the app:": "不用界面的同样训练：",
    # files
    "The settings of a training. What is left out here has the recipe's value.":
        "一次训练的设置。这里没写的，取配方的值。",
    "A recipe. Train it with: gpt-tui --no-ui train --recipe {file}":
        "一个配方。训练：gpt-tui --no-ui train --recipe {file}",
    "{path}: exists already": "{path}：已经存在",
    "{path}: not saved, these would not read back the same: {keys}": "{path}：未保存，这些设置读回来会不一样：{keys}",
}  # fmt: skip
