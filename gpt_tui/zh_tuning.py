"""Chinese for tuning a trained model on instructions: frozen blocks, LoRA, the test rows and their answers."""

TEXTS = {
    # schema.py
    "Part of the training data kept for a test: answered after the training into responses.json.": (
        "从训练数据留作测试的比例：训练结束后回答，写入 responses.json"
    ),
    "Refuse to begin with fresh weights: what is here tunes a trained model.": "必须从训练好的模型开始，不用全新的权重",
    "Blocks that learn, counted from the top; all below them is frozen. Empty: the whole model learns.": (
        "从顶部数起训练几层，其下全部冻结；留空：训练整个模型"
    ),
    "blocks": "层",
    "[unit] blocks": "层",
    "Compute each block twice instead of keeping what it computed: much less memory, a third more time.": (
        "每层算两遍而不保存中间结果：内存少得多，时间多三分之一"
    ),
    "Tuning by small factors beside frozen matrices.": "冻结矩阵，只训练旁边的小因子",
    "LoRA: columns of the factors learnt instead of whole matrices, 4 to 64. Empty: no LoRA.": (
        "LoRA：用这么多列的因子代替整个矩阵来学习，一般 4 到 64；留空：不用 LoRA"
    ),
    "LoRA: what the factors add is multiplied by alpha / rank.": "LoRA：因子的贡献乘以 alpha / rank",
    "LoRA: on which matrices: qkv, proj (attention), up, down (feed-forward).": (
        "LoRA：用于哪些矩阵：qkv、proj（注意力），up、down（前馈网络）"
    ),
    "LoRA: share of the factors' inputs dropped in training.": "LoRA：训练时随机丢弃的因子输入的比例",
    "lora.targets: found '{name}', allowed: {names}": "lora.targets：得到“{name}”，允许：{names}",
    "training.trainable_blocks ({blocks}) must not be above model.n_layer ({layers})": (
        "training.trainable_blocks（{blocks}）不能大于 model.n_layer（{layers}）"
    ),
    # start.py
    "{recipe} tunes a model that is trained already; name one with --from RUN (training.start_from), such as "
    "GPT-2 after: gpt-tui import gpt2 124M; alpaca-tiny begins with a fresh one": (
        "{recipe} 微调已训练好的模型；请用 --from 指定运行记录（training.start_from），"
        "例如先导入 GPT-2：gpt-tui import gpt2 124M；alpaca-tiny 则从全新的模型开始"
    ),
    # tuning.py
    "LoRA of rank {rank} on {targets} in {blocks} of {layers} blocks: {learning} parameters learn, {all} are frozen": (
        "LoRA，秩 {rank}，用于 {targets}，{layers} 层中的 {blocks} 层：训练 {learning} 个参数，冻结 {all} 个"
    ),
    "the top {blocks} of {layers} blocks learn: {learning} of {all} parameters": (
        "训练 {layers} 层中顶部的 {blocks} 层：{all} 个参数中的 {learning} 个"
    ),
    # console.py, verdicts.py
    "answering the test rows": "正在回答测试集的问题",
    "comparing int8 with fp32": "正在比较 int8 与 fp32",
    "test: {rows} answers in {path}, {exact} of them word for word as expected | loss {loss}": (
        "测试集：{rows} 个回答写入 {path}，其中 {exact} 个与预期逐字相同 | 损失 {loss}"
    ),
    # commands/ask.py, commands/params.py
    "what the instruction is about, under a heading of its own (alpaca)": "指令所针对的内容，另列一个标题（alpaca）",
    "learning": "训练",
}
