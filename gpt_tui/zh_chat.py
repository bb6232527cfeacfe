"""Chinese for the Chat tab."""

TEXTS: dict[str, str] = {
    # asking
    "Ask": "提问",
    "Put the question to the model.": "把问题交给模型。",
    "Stop/Back": "停止/返回",
    "Stop the answer; otherwise leave the token view, an edit, the comparison or the prompt.": (
        "停止回答；没有回答时，退出词元视图、编辑、对比或输入框。"
    ),
    "Again": "重答",
    "Ask the last question once more, or the one that is marked.": "把最后一个（或选中的）问题再问一遍。",
    "Edit": "改问",
    "Take an earlier question back for editing; Enter asks it in its place.": "取回先前的问题修改；回车即重问。",
    "Copy the answer, the last one or the one that is marked.": "复制最后一个（或选中的）回答。",
    "Tokens": "词元",
    "Show the answer token by token, with probabilities and alternatives.": "逐个词元查看回答，附概率与候选。",
    "Compare": "对比",
    "Put each question to two models, side by side.": "同一个问题问两个模型，左右对照。",
    "Options": "选项",
    "Show or hide temperature, stop strings and the other options.": "显示或隐藏温度、停止串等选项。",
    "Choose the run and the checkpoint that are asked.": "选择要提问的训练和检查点。",
    "With history": "多轮对话",
    "Take the conversation along with each question, or not.": "提问时带上先前的对话，或不带。",
    "Stop at 。；": "遇 。； 停止",
    "End answers after one sentence, as in class, or not.": "像课堂上那样一句即止，或不限。",
    "New conversation": "新对话",
    "Begin anew: nothing said so far is taken along.": "重新开始：之前说过的都不再带上。",
    "Delete the chat history": "删除对话记录",
    "Delete what was asked and answered with this run.": "删除与这次训练的所有问答。",
    "Ask something · Enter sends · Ctrl+J new line · Esc, then 1–5: tabs": (
        "输入问题 · 回车发送 · Ctrl+J 换行 · 先 Esc 再 1–5：换页"
    ),
    "Ask something: what the model has learnt comes from the run's data alone.": (
        "问点什么吧：模型所知全部来自这次训练的数据。"
    ),
    "Ask something: both models answer, one after the other.": "问点什么吧：两个模型先后回答。",
    "There is no trained run yet. Train one in the first tab, then ask it here.": (
        "还没有训练好的模型。先在第一个标签页训练，再来提问。"
    ),
    "there is no model to ask yet": "还没有可以提问的模型",
    "an answer is being written; Esc stops it": "正在回答；按 Esc 停止",
    "question {n} taken back · Enter asks it again · Esc leaves it": "取回第 {n} 问 · 回车重问 · Esc 放弃",
    "copied: {text}": "已复制：{text}",
    "── new conversation ──": "── 新对话 ──",
    "once more within 10 seconds deletes everything asked of this run": "10 秒内再按一次，将删除这次训练的全部问答",
    "the chat history cannot be written: {path}: {reason}": "对话记录无法写入：{path}：{reason}",
    # answers
    "waiting": "等待中",
    "loading the model": "正在载入模型",
    "{n} tokens": "{n} 个词元",
    "stopped at {stop}": "遇 {stop} 停止",
    "the model ended it": "模型自行结束",
    "the question is too long: its first {n} tokens were not read": "问题太长：开头的 {n} 个词元没有读入",
    "longest length reached": "达到长度上限",
    "stopped by you": "被你停止",
    "{checkpoint} @ step {step}": "{checkpoint} @ 第 {step} 步",
    "(an empty answer)": "（空回答）",
    # which model
    "choose a run": "选择训练",
    "no run yet": "还没有训练",
    "live": "实时",
    "last": "最新",
    "best": "最佳",
    "a path …": "路径…",
    "path of a run or a checkpoint, Enter": "训练或检查点的路径，回车确认",
    "… loading": "… 载入中",
    "in memory": "在内存中",
    # options
    "temperature": "温度",
    "repetition": "重复惩罚",
    "most tokens": "最多词元",
    "least tokens": "最少词元",
    "seed": "随机种子",
    "with history": "多轮",
    "each question alone": "单轮",
    "stop {stops}": "停止 {stops}",
    "the answer stops at": "遇到以下文字停止",
    "text; \\n: a new line": "文字；\\n 表示换行",
    "←→ choose · Enter edit · Del remove · . and ; for 。 and ；": (
        "←→ 选择 · 回车修改 · Del 删除 · 按 . 或 ; 加减 。 与 ；"
    ),
    "Take the conversation so far along with each question.": "提问时带上到目前为止的对话。",
    "Makes a draw with a temperature repeatable; empty: another each time.": "使带温度的抽样可重复；留空则每次不同。",
    "a whole number of at least 0, or empty": "不小于 0 的整数，或留空",
    "not below the least, {n}": "不能小于最少词元 {n}",
    "not above the most, {n}": "不能大于最多词元 {n}",
    "answers end at 。 and ；": "回答遇 。； 即止",
    "answers do not end at 。 and ；": "回答不再因 。； 停止",
    # tokens
    "token {n} of {total}": "第 {n} / {total} 个词元",
    "before temperature and filters": "未经温度与筛选的概率",
    "no tokens are kept of this answer: ask again to see them": "这个回答没有留下词元：重新提问即可查看",
    "part of a character": "半个字符的字节",
    "90 % and more": "90 % 以上",
    "under 15 %": "15 % 以下",
    "←→↑↓ or mouse: token · n/p: next, previous doubtful one · Esc: back": (
        "←→↑↓ 或鼠标：选词元 · n/p：下一个/上一个拿不准的 · Esc：返回"
    ),
    # comparing
    "= the same answer": "= 回答相同",
    "≠ they part at character {n}": "≠ 从第 {n} 个字符起不同",
    "on disk {a} and {b} (×{ratio:.2f})": "占盘 {a} 与 {b}（×{ratio:.2f}）",
    "{a:,.0f} and {b:,.0f} tok/s (×{ratio:.2f})": "{a:,.0f} 与 {b:,.0f} 词元/秒（×{ratio:.2f}）",
    "{rate:,.0f} tok/s": "{rate:,.0f} 词元/秒",
}
