"""Chinese for ``gpt-tui bench``."""

TEXTS = {
    "measure how fast this machine trains and answers": "测量这台机器训练和回答有多快",
    "Measure how fast this machine trains and answers.": "测量这台机器训练和回答有多快。",
    "a minute instead of five, and less exact": "只用一分钟而不是五分钟，但不那么精确",
    "measure the training of this recipe; may be repeated (default: teacher, reader, reader-100m)": (
        "测量哪个配方；可重复（默认 teacher 和两个 reader）"
    ),
    "all figures as JSON": "以 JSON 输出所有数字",
    "matrix products": "矩阵乘法",
    "training steps of {recipe}": "{recipe} 的训练步",
    "answers of {recipe}": "{recipe} 的回答",
    "{recipe} in the app and without it": "{recipe}：在界面中与不开界面",
    "start-up times": "启动时间",
    "{processor}, {cores} cores, {memory} of memory; {system}, Python {python}, torch {torch}": (
        "{processor}，{cores} 核，内存 {memory}；{system}，Python {python}，torch {torch}"
    ),
    "matrix products: {fp32:.0f} GFLOP/s in fp32, {bf16:.0f} in bf16": (
        "矩阵乘法：fp32 {fp32:.0f} GFLOP/s，bf16 {bf16:.0f} GFLOP/s"
    ),
    "training": "训练",
    "numbers": "数值格式",
    "tokens/s": "词元/秒",
    "MFU": "峰值利用率",
    "padding": "填充",
    "highest memory": "内存峰值",
    "milliseconds": "毫秒",
    "a step": "每步",
    "data": "数据",
    "forward": "前向",
    "backward": "反向",
    "optimizer": "优化器",
    "logging": "记录",
    "one answer of {recipe}, tokens/s": "{recipe} 的单个回答，词元/秒",
    "answer": "回答",
    "the app's first screen": "界面首次显示",
    "ask, first token": "ask 的第一个词元",
    "not measured on this system": "本系统上不测量",
    "{seconds:.2f} s": "{seconds:.2f} 秒",
    "the app beside a training: not measured on this system": "界面对训练的影响：本系统上不测量",
    "a step of {recipe} in the app: {app:.1f} ms, without it {headless:.1f} ms ({more:+.1f} %)": (
        "{recipe} 的一步：在界面中 {app:.1f} 毫秒，不开界面 {headless:.1f} 毫秒（{more:+.1f} %）"
    ),
    "{what}: the measurement failed: {reason}": "{what}：测量失败：{reason}",
}
