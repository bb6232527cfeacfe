"""Chinese for the command line: help, the lines of a training, reports."""

TEXTS = {
    # cli.py
    "Train a small GPT from nothing, in the terminal, and talk to it.": "在终端里从零训练一个小 GPT，并与它对话。",
    "train a model": "训练一个模型",
    "Train a model.": "训练一个模型。",
    "ask a trained model one question": "向训练好的模型提一个问题",
    "Ask a trained model one question.": "向训练好的模型提一个问题。",
    "ask question after question": "连续提问",
    "Ask question after question.": "连续提问。",
    "answer a file of questions and count the right answers": "回答文件里的全部问题，统计答对多少",
    "Answer a file of questions and count the right answers.": "回答文件里的全部问题，统计答对多少。",
    "report what is in a data file: duplicates, leaks, lengths, cuts": "检查数据文件：重复、泄漏、长度、截断",
    "Report what is in a data file: duplicates, leaks, lengths, cuts.": "检查数据文件：重复、泄漏、长度、截断。",
    "count a model's parameters and its memory": "计算模型的参数量和内存",
    "Count a model's parameters and its memory.": "计算模型的参数量和内存。",
    "build a vocabulary, or look at one": "建立词表，或查看词表",
    "Build a vocabulary, or look at one.": "建立词表，或查看词表。",
    "list, show, export or delete runs": "列出、查看、导出或删除运行记录",
    "List, show, export or delete runs.": "列出、查看、导出或删除运行记录。",
    "write config.yaml and the corpus into a folder, for editing": "把 config.yaml 和语料写到文件夹里供修改",
    "Write config.yaml and the corpus into a folder, for editing.": "把 config.yaml 和语料写到文件夹里供修改。",
    """\
  gpt-tui --no-ui train                          train the teacher recipe (about two minutes)
  gpt-tui ask "什么是注意力机制？" --show-label       ask the newest run
  gpt-tui --no-ui train --set training.lr=5e-4   change any setting
  gpt-tui --no-ui train --data my.jsonl          train on your own questions and answers
  gpt-tui eval --data my.jsonl --show            see which of them it answers
  gpt-tui runs                                   what has been trained""": """\
  gpt-tui --no-ui train                          按 teacher 配方训练（约两分钟）
  gpt-tui ask "什么是注意力机制？" --show-label       向最新的模型提问
  gpt-tui --no-ui train --set training.lr=5e-4   修改任意设置
  gpt-tui --no-ui train --data my.jsonl          用自己的问答数据训练
  gpt-tui eval --data my.jsonl --show            看看它能答对哪些
  gpt-tui runs                                   列出训练过的模型""",
    "examples:": "示例:",
    "commands": "命令",
    "plain lines instead of the app": "只输出文本行，不打开界面",
    "language of all messages": "所有消息的语言",
    "where runs are kept (or GPT_TUI_RUNS; default ./runs)": "运行记录的位置（或 GPT_TUI_RUNS；默认 ./runs）",
    ", did you mean {option}?": "，是不是想用 {option}？",
    "{program}: {message}{hint} (see {program} --help)": "{program}: {message}{hint}（用法见 {program} --help）",
    "gpt-tui: another package named 'core' hides this program's own: {path}; "
    "start from another folder or remove it from PYTHONPATH": (
        "gpt-tui: 另一个名为 core 的包遮住了本程序自己的：{path}；请换一个文件夹启动，或把它从 PYTHONPATH 中去掉"
    ),
    "the system says: {problem}": "系统报告：{problem}",
    # screen.py
    # sampling_options.py
    "which run (default: the newest)": "哪个运行记录（默认：最新的）",
    "which of its checkpoints (default: last)": "其中哪个检查点（默认：last）",
    "which of its checkpoints alone (default: the newest, best and int8)": (
        "只要其中哪个检查点（默认：最新的、best 和 int8）"
    ),
    "{help} (default: as the run has it)": "{help}（默认：同训练设置）",
    "end the answer at this text; may be repeated": "遇到这段文本就结束回答；可重复使用",
    "makes a draw with a temperature repeatable": "使带温度的采样可以重现",
    "print the label, such as 回答:, before the answer": "在回答前显示“回答:”之类的标签",
    # commands/ask.py, chat.py
    "the question": "问题",
    "tokens, their probabilities and the rate as JSON": "以 JSON 输出词元、概率和速度",
    "one JSON object per answer": "每个回答输出一个 JSON 对象",
    "ask away; an empty line or Ctrl+D ends": "请提问；空行或 Ctrl+D 结束",
    # commands/train.py
    "what to train: a file of settings, or one of {names}": "{names} 或文件",
    "settings (default: ./config.yaml if it is there)": "设置文件（默认：./config.yaml，如果有）",
    "change one setting, e.g. training.lr=1e-3; may be repeated": "修改一项设置，如 training.lr=1e-3；可重复使用",
    "train on this file instead of the recipe's": "用这个文件训练，代替配方里的",
    "evaluate on this file": "用这个文件评估",
    "number of optimizer steps": "优化器步数",
    "time budget; the learning rate falls to its end": "限定分钟数；学习率到时降到最低",
    "name of the run (default: recipe and time)": "运行记录的名称（默认：配方和时间）",
    "go on with a run (default: the newest one)": "继续一次训练（默认：最新的）",
    "one JSON object a line": "每行输出一个 JSON 对象",
    "loss {loss:.4f}  eta {eta}": "损失 {loss:.4f}  剩余 {eta}",
    "saved in {path}": "已保存在 {path}",
    "EXACT": "完全答对",
    "CONTAINS": "包含",
    "MISS": "答错",
    "{run} was imported, there is no training in it": "{run} 是导入的，其中没有训练过程",
    'ask it: gpt-tui ask "…" --run {run}': '向它提问：gpt-tui ask "…" --run {run}',
    "go on with: gpt-tui --no-ui train --resume {run}": "继续训练：gpt-tui --no-ui train --resume {run}",
    "stopped before the first step: there is nothing to save": "在第一步之前就停止了：没有什么可保存",
    "stopping after this step and saving; once more to stop at once": "完成这一步并保存后停止；再按一次立即停止",
    # console.py
    "train": "训练集",
    "valid": "验证集",
    "warning: {text}": "警告：{text}",
    "note: {text}": "提示：{text}",
    "step {step} | loss {loss:.4f} | lr {lr:.2e} | grad {grad:.2f} | {rate:,.0f} tok/s | "
    "elapsed {elapsed} | eta {eta}": (
        "步 {step} | 损失 {loss:.4f} | 学习率 {lr:.2e} | 梯度 {grad:.2f} | {rate:,.0f} 词元/秒 | "
        "已用 {elapsed} | 剩余 {eta}"
    ),
    "eval at step {step} | loss {loss:.4f}": "第 {step} 步评估 | 损失 {loss:.4f}",
    "best so far": "目前最佳",
    "best {best:.4f} @ step {step}": "最佳 {best:.4f}（第 {step} 步）",
    "saved {tag} at step {step}: {path} ({size})": "第 {step} 步已保存 {tag}：{path}（{size}）",
    "warning: step {step} gave no finite loss or gradient and was skipped ({total} so far)": (
        "警告：第 {step} 步的损失或梯度不是有限值，已跳过（累计 {total} 次）"
    ),
    "warning: back from step {step} to step {to}, learning rate times {scale}": (
        "警告：从第 {step} 步退回第 {to} 步，学习率乘以 {scale}"
    ),
    "changed at step {step}: {changes}": "第 {step} 步修改：{changes}",
    "paused": "已暂停",
    "asking all questions once more": "正在把所有问题再问一遍",
    "learning the vocabulary": "正在学习词表",
    "int8: {small} instead of {large}, {agreement} of {questions} answers the same as fp32, "
    "{rate:,.0f} against {fp32:,.0f} tok/s": (
        "int8：{small}（原 {large}），{questions} 个回答中 {agreement} 与 fp32 相同，"
        "{rate:,.0f} 词元/秒（fp32 为 {fp32:,.0f}，成批计算）"
    ),
    "{reason} after {steps} steps, {seconds:.1f} s of training, {total:.1f} s in all | loss {loss}": (
        "{reason}：共 {steps} 步，训练 {seconds:.1f} 秒，总计 {total:.1f} 秒 | 损失 {loss}"
    ),
    "best eval loss {best} @ step {step}": "最佳评估损失 {best}（第 {step} 步）",
    "finished": "已完成",
    "finished, the time is used up": "已完成，时间用完",
    "finished early, the evaluation loss no longer falls": "提前结束，评估损失不再下降",
    "finished early, the loss is low enough": "提前结束，损失已足够低",
    "stopped": "已停止",
    "stopped by Ctrl+C": "被 Ctrl+C 停止",
    "stopped by the system (SIGTERM)": "被系统停止（SIGTERM）",
    "run {run} ({recipe}) in {path}": "运行 {run}（{recipe}），位于 {path}",
    "going on from step {step}": "从第 {step} 步继续",
    "device {device} | {threads} threads | {dtype} | {parameters:,} parameters | vocabulary {vocab}": (
        "设备 {device} | {threads} 线程 | {dtype} | {parameters:,} 个参数 | 词表 {vocab}"
    ),
    "{label}: {rows} rows, {tokens:,} tokens, {supervised:,} learnt, length {p50} (longest {longest}), "
    "padding {padding}": (
        "{label}：{rows} 条，{tokens:,} 词元，其中学习 {supervised:,}，长度 {p50}（最长 {longest}），填充 {padding}"
    ),
    "{steps} steps": "{steps} 步",
    "{minutes:g} minutes": "{minutes:g} 分钟",
    " or ": " 或 ",
    "training for {budget}": "将训练 {budget}",
    "{label}: {exact} of {total} exact ({rate}, 95 % interval {low}–{high}; commonest answer {majority})": (
        "{label}：{total} 题中 {exact} 题完全答对（{rate}，95 % 置信区间 {low}–{high}；只答最常见答案可得 {majority}）"
    ),
    # commands/doctor.py
    "data files; the first one trains the vocabulary": "数据文件；用第一个学习词表",
    "whose template and lengths count": "采用哪个配方的模板和长度",
    "the report as JSON": "以 JSON 输出报告",
    "{rows} rows of {second} also stand in {first}": "{second} 中有 {rows} 条也出现在 {first} 中",
    "  vocabulary: {size} tokens, learnt from {file}": "  词表：{size} 个词元，由 {file} 学得",
    "{rows} rows, {unique} unique, {facts} facts, {characters:,} characters": (
        "{rows} 条，去重后 {unique} 条，{facts} 个知识点，{characters:,} 个字符"
    ),
    "0 exact duplicates": "没有完全重复的条目",
    "{duplicates} exact duplicates (one row stands there {most_repeated} times)": (
        "{duplicates} 条完全重复（最多的一条出现 {most_repeated} 次）"
    ),
    "{conflicting_questions} questions with more than one answer": "{conflicting_questions} 个问题有不止一种答案",
    "{tokens:,} tokens, {supervised_tokens:,} of them learnt": "{tokens:,} 个词元，其中学习 {supervised_tokens:,} 个",
    "length in tokens: shortest {min}, median {p50}, 90 % {p90}, 99 % {p99}, longest {max}": (
        "长度（词元）：最短 {min}，中位数 {p50}，90 % 分位 {p90}，99 % 分位 {p99}，最长 {max}"
    ),
    "{cut} questions cut to {seq_len} tokens ({cut_tokens} tokens lost)": (
        "{cut} 个问题被截断到 {seq_len} 个词元（丢掉 {cut_tokens} 个词元）"
    ),
    "{lost} rows left out: the answer alone is too long": "{lost} 条被舍去：仅答案就已过长",
    "padding: {bucketed} in batches of similar length, {full} if padded to {seq_len}": (
        "填充：按长度相近分批为 {bucketed}，全部填充到 {seq_len} 则为 {full}"
    ),
    "no token to learn: a training on this file would be refused": "没有可学习的词元：用这个文件训练会被拒绝",
    # commands/eval.py
    "questions with their answers (default: the run's validation rows)": "问题和答案（默认：该运行记录的验证集）",
    "print every row with its verdict": "逐条显示判定结果",
    "counts and rates as JSON": "以 JSON 输出数量和比率",
    "expected: {text}": "答案：{text}",
    "answer: {text}": "回答：{text}",
    "all": "全部",
    "exact": "答对率",
    "95 % interval": "95 % 置信区间",
    "commonest answer": "只答最常见答案",
    # commands/init.py
    "where to write them; existing files are kept": "写到哪个文件夹；已有的文件保持不变",
    "kept: {path}": "保留：{path}",
    "written: {path}": "已写入：{path}",
    "now: cd {folder} && gpt-tui --no-ui train": "接下来：cd {folder} && gpt-tui --no-ui train",
    # commands/params.py
    "whose model (default: teacher)": "哪个配方的模型（默认：teacher）",
    "change one setting, e.g. tokenizer.vocab_size=824; may be repeated": (
        "修改一项设置，如 tokenizer.vocab_size=824；可重复使用"
    ),
    "the counts as JSON": "以 JSON 输出参数量",
    "{recipe}: {layers} layers, {heads} heads, width {width}, vocabulary {vocab}": (
        "{recipe}：{layers} 层，{heads} 个注意力头，宽度 {width}，词表 {vocab}"
    ),
    "embedding": "词嵌入",
    "position": "位置嵌入",
    "attention": "注意力",
    "mlp": "前馈网络",
    "norm": "归一化",
    "head": "输出层",
    "total": "总计",
    "weights fp32": "fp32 权重",
    "weights bf16": "bf16 权重",
    "weights int8": "int8 权重",
    "Adam's memory fp32": "Adam 状态（fp32）",
    # commands/runs.py
    "which run": "哪个运行记录",
    "delete without asking": "不询问直接删除",
    "as JSON": "以 JSON 输出",
    "delete {path} with all its checkpoints? [y/N] ": "删除 {path} 及其所有检查点？[y/N] ",
    "deleted: {path}": "已删除：{path}",
    "no runs in {folder}; train one: gpt-tui --no-ui train": (
        "{folder} 中还没有运行记录；先训练一个：gpt-tui --no-ui train"
    ),
    "run": "运行",
    "state": "状态",
    "recipe": "配方",
    "parameters": "参数",
    "best loss": "最佳损失",
    "time": "用时",
    "running": "训练中",
    "empty": "空",
    "replace a file that is no vocabulary, too": "目标文件不是词表时也替换",
    "replace files that are no such corpus, too": "目标文件不是这种语料时也替换",
    "damaged": "已损坏",
    "checkpoints: {names}": "检查点：{names}",
    # commands/tokenizer.py
    "learn a vocabulary from a data file": "从数据文件学习词表",
    "data files": "数据文件",
    "where to write it": "写到哪个文件",
    "tokens to know (default: the recipe's)": "词元数（默认：同配方）",
    "whose settings (default: teacher)": "采用哪个配方的设置（默认：teacher）",
    "how a vocabulary cuts a text": "看词表如何切分一段文本",
    "the text; without one: the vocabulary itself": "文本；不给则列出词表本身",
    "a tokenizer.json (default: that of the run)": "一个 tokenizer.json（默认：运行记录里的）",
    "tokens and ids as JSON": "以 JSON 输出词元和编号",
    "{path}: {size} tokens": "{path}：{size} 个词元",
    "that is fewer than the {asked} asked for: the text has no more pairs to merge": (
        "少于要求的 {asked} 个：文本中已没有可合并的词元对"
    ),
    "{tokens} tokens for {characters} characters; read back exactly: {exact}": (
        "{characters} 个字符，{tokens} 个词元；能否完全还原：{exact}"
    ),
    "yes": "是",
    "no": "否",
}
