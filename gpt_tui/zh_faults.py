"""Chinese for what goes wrong on the way and what is done about it: the disk, the memory, the numbers, ``check``."""

TEXTS = {
    # cli.py, commands
    "say whether a run directory is whole, and what to do if not": "检查运行记录是否完好；若有损坏，说明怎么办",
    "Say whether a run directory is whole, and what to do if not.": "检查运行记录是否完好；若有损坏，说明怎么办。",
    "gpt-tui: the memory is used up; choose a smaller model or end other programs": (
        "gpt-tui：内存用完了；请换小一些的模型，或关闭其他程序"
    ),
    "not saved: the steps from {first} to {last}": "没有保存：第 {first} 步到第 {last} 步",
    "{path}: one thing is wrong": "{path}：有 1 处问题",
    "{path}: {count} things are wrong": "{path}：有 {count} 处问题",
    "{path}: whole": "{path}：完好",
    # console.py
    "warning: the gradient of step {step} exploded, the step was skipped ({total} so far)": (
        "警告：第 {step} 步梯度爆炸，已跳过（共 {total} 次）"
    ),
    # core/training/
    "{name} cannot be written: {reason}; the training waits, make room or stop it (it tries again every {seconds} s)": (
        "{name} 无法写入：{reason}；训练暂停等待，请腾出空间，或停止训练（每 {seconds} 秒重试一次）"
    ),
    "{name} is written, there is room again": "{name} 已写入，磁盘又有空间了",
    "stopped without room to save: the steps after {saved} are lost": (
        "停止时没有空间保存：第 {saved} 步之后的训练丢失了"
    ),
    "the memory is used up at step {step}: from here on {rows} rows are computed at once instead of {before}; "
    "the result is the same": ("第 {step} 步内存用完：从现在起一次计算 {rows} 条（原为 {before} 条），结果不变"),
    "the memory is used up ({free} of {total} MB are free); choose a smaller model.seq_len, model.n_embd or "
    "training.micro_batch, or end other programs; --resume goes on from the newest checkpoint": (
        "内存用完了（共 {total} MB，剩余 {free} MB）；请减小 model.seq_len、model.n_embd 或 training.micro_batch，"
        "或关闭其他程序；--resume 可从最新的检查点继续"
    ),
    "{what} at step {step}, also after going back once at half the learning rate; try a lower training.lr (now {lr}), "
    "training.dtype=fp32, or look at the data with gpt-tui doctor": (
        "第 {step} 步：{what}，退回一次并将学习率减半后仍然如此；请降低 training.lr（现为 {lr}）、"
        "改用 training.dtype=fp32，或用 gpt-tui doctor 检查数据"
    ),
    "the loss is not a number": "损失不是有效数值",
    "the loss is {loss:.3g}, but its gradient is not a number": "损失为 {loss:.3g}，但梯度不是有效数值",
    "the gradient exploded, its length is {norm:.3g} instead of about {usual:.3g}": (
        "梯度爆炸，长度为 {norm:.3g}，平时约为 {usual:.3g}"
    ),
    # core/config.py, core/runs.py
    "{where}unknown recipe '{recipe}'{hint}; there are: {names}": "{where}没有配方“{recipe}”{hint}；现有：{names}",
    "{path}: is a link; a run is only written to where all of it lies in its folder": (
        "{path}：是链接；运行记录的文件都在自己的文件夹里时才会写入"
    ),
    # core/check.py
    "copy config.yaml from a checkpoint's state.json, or train anew": (
        "从检查点的 state.json 抄回 config.yaml，或重新训练"
    ),
    "config.yaml: recipe {recipe}": "config.yaml：配方 {recipe}",
    "tokenizer.json: not there yet, nothing was learnt": "tokenizer.json：还没有，尚未开始学习",
    "copy tokenizer.json from a whole checkpoint of this run": "从本运行记录的完好检查点复制 tokenizer.json",
    "tokenizer.json: {size} tokens": "tokenizer.json：{size} 个词元",
    "delete this checkpoint; the others are not affected": "删除这个检查点；其他检查点不受影响",
    "{path}: holds step {step}": "{path}：里面是第 {step} 步",
    "checkpoints/{name}: step {step}, {numbers} numbers, all checksums match": (
        "checkpoints/{name}：第 {step} 步，{numbers} 个数，校验和全部相符"
    ),
    "no whole checkpoint to go on from": "没有完好的检查点可以继续",
    "train anew under another --run name": "请换一个 --run 名称重新训练",
    "no checkpoint yet": "还没有检查点",
    "metrics.jsonl: not there yet, nothing happened": "metrics.jsonl：还没有，尚无记录",
    "{path}:{line}: half a line, as a killed process leaves it": "{path}:{line}：只有半行，是进程被杀死时留下的",
    "{path}:{line}: not an event": "{path}:{line}：不是事件",
    "delete the line; curves lack what stood there": "删除这一行；曲线会缺少它的内容",
    "{path}:{line}: step {step} after step {last}": "{path}:{line}：第 {last} 步之后又出现第 {step} 步",
    "two processes wrote to it, or it was edited; curves may jump": "有两个进程写过它，或被改动过；曲线可能跳动",
    "curves and gpt-tui runs need this file; a resume does not": "曲线和 gpt-tui runs 需要这个文件；继续训练不需要",
    "{path}: {damaged} damaged lines, {disordered} steps out of order": (
        "{path}：{damaged} 行损坏，{disordered} 步次序不对"
    ),
    "metrics.jsonl: {lines} lines, up to step {step}": "metrics.jsonl：{lines} 行，到第 {step} 步",
    "report.json: not there, the run was not trained to its end": "report.json：没有，训练没有进行到底",
    "{path}: not a report": "{path}：不是训练报告",
    "go on with --resume: it is written again": "用 --resume 继续：会重新写出",
    "report.json: {steps} steps, loss {loss}": "report.json：{steps} 步，损失 {loss}",
    "lock: process {pid} on {host} is writing to it": "lock：{host} 上的进程 {pid} 正在写入",
    "look again when it has ended: what it is writing now may be shown as left over": (
        "等它结束后再查：正在写的文件可能被当作残留"
    ),
    "lock: free": "lock：空闲",
    "{path}: left by an interrupted write": "{path}：写入中断留下的残留",
    "harmless; it goes with the next checkpoint, or delete it": "无害；写下一个检查点时会清除，也可以删除",
    "{path}: a checkpoint that was just being replaced": "{path}：正被替换的检查点",
    "harmless; the next --resume puts it in order": "无害；下次 --resume 会整理好",
    "{path}: other users of this machine can look into it": "{path}：本机其他用户可以查看",
    "if they should not: chmod 700 on the folder": "若不应如此：对该文件夹执行 chmod 700",
    # the system, in words of core/storage.py
    "is not a regular file": "不是普通文件",
}
