"""Chinese for recipes and what they need: made corpora, downloads, further training, figures, comparison."""

TEXTS = {
    # cli.py
    "ask two checkpoints the same questions and say which is better": "让两个检查点回答同样的问题，看哪个更好",
    "Ask two checkpoints the same questions and say which is better.": "让两个检查点回答同样的问题，看哪个更好。",
    "make a corpus": "生成语料",
    "Make a corpus.": "生成语料。",
    "draw the losses of runs": "绘制运行记录的损失曲线",
    "Draw the losses of runs.": "绘制运行记录的损失曲线。",
    # schema.py
    "init: induction needs position: rope, qkv_bias: true, n_kv_head as n_head, 2 layers, and head_dim (or "
    "n_embd / n_head) a multiple of 8 from 16 to n_embd": (
        "init: induction 需要 position: rope、qkv_bias: true、n_kv_head 与 n_head 相同、至少 2 层，"
        "并且 head_dim（或 n_embd / n_head）是 8 的倍数，不小于 16，不大于 n_embd"
    ),
    "LoRA tuning": "LoRA 微调",
    "Fresh weights: random, or with heads that copy what the context repeats (needs rope and qkv_bias).": (
        "初始权重：随机，或带有能抄写上文的注意力头（需要 rope 和 qkv_bias）。"
    ),
    "Where BPE merges end: at words; also at every digit; also at every Chinese character.": (
        "BPE 合并止于何处：词；以及每个数字；以及每个汉字"
    ),
    "Use this vocabulary, a tokenizer.json or GPT-2's folder, instead of training one.": (
        "使用这个词表（tokenizer.json 或 GPT-2 的文件夹），不另外训练"
    ),
    "Training data: a file, or the name of one that is bundled or made (reader/train.jsonl).": (
        "训练数据：文件，或自带、生成的数据的名称（reader/train.jsonl）"
    ),
    "More validation data, reported apart: rows with names and values that training never shows.": (
        "另一份验证数据，单独报告：训练中从未出现的名字和数值"
    ),
    "Text that the model goes on from after each epoch, to show what it writes.": (
        "每轮结束后让模型从这段文本续写，展示它写些什么"
    ),
    "Training rows of a corpus that is made (reader/train.jsonl).": "生成的语料（reader/train.jsonl）的训练条数",
    "Validation rows of it, and as many with unseen values.": "它的验证条数，另有同样多条含没见过的数值",
    "The same seed makes the same corpus.": "随机种子；种子相同，语料就相同",
    "Where to download 'train' when there is no such file.": "没有 train 这个文件时从哪里下载",
    "The checksum that the downloaded file must have.": "下载的文件必须符合的校验和",
    "Draw the losses at the end (needs matplotlib).": "结束时绘制损失曲线（需要 matplotlib）",
    "A run or checkpoint whose weights and vocabulary to begin with; empty: fresh ones.": (
        "从这个运行记录或检查点的权重和词表开始；留空：从零开始"
    ),
    "data.url needs data.sha256: what is downloaded must be what was meant": (
        "data.url 需要 data.sha256：下载到的必须是想要的文件"
    ),
    # corpora/made.py, download.py
    "{name}: the corpus {corpus} has only {files}": "{name}：语料 {corpus} 只有 {files}",
    "{path}: it does not match data.sha256; delete it or put the right file there": (
        "{path}：与 data.sha256 不符；请删除它，或放上正确的文件"
    ),
    "{url}: what came from there does not match data.sha256 (it has {found}); nothing was kept": (
        "{url}：下载到的内容与 data.sha256 不符（实为 {found}）；没有保留"
    ),
    "{file} is not here and cannot be downloaded ({reason}); get it from {url} on another machine "
    "and put it at {path}, or train on a file of your own with --data FILE": (
        "这里没有 {file}，也无法下载（{reason}）；请在别的机器上从 {url} 下载，"
        "放到 {path}，或用 --data FILE 训练自己的文件"
    ),
    # vocabulary.py
    "{path}: no vocabulary in it; expected tokenizer.json, or vocab.json with merges.txt, or encoder.json with "
    "vocab.bpe": (
        "{path}：其中没有词表；应有 tokenizer.json，或 vocab.json 和 merges.txt，或 encoder.json 和 vocab.bpe"
    ),
    "{file}: not a vocabulary: expected tokens with their numbers": "{file}：不是词表：应为词元及其编号",
    "{file}:{line}: not a merge: expected two pieces": "{file}:{line}：不是一条合并：应为两段",
    # start.py
    "{path}: int8 weights cannot be trained further; choose another checkpoint": (
        "{path}：int8 权重不能继续训练；请选另一个检查点"
    ),
    "model.{key}: {wanted} does not fit {path}, which has {stored}: further training keeps the architecture "
    "(gpt-tui train --from RUN takes it over)": (
        "model.{key}：{wanted} 与 {path} 的 {stored} 不符；继续训练时网络结构不变（gpt-tui train --from RUN 会沿用它）"
    ),
    "beginning with the weights of {run}, {checkpoint} (step {step})": (
        "从 {run} 的检查点 {checkpoint}（第 {step} 步）的权重开始"
    ),
    # machine.py
    "{name} is on the device {found}, the training on {wanted}": "{name} 在设备 {found} 上，训练在 {wanted} 上",
    # figures.py
    "no figures: {problem}": "没有绘图：{problem}",
    "{path}: a figure's name must end in {suffixes}": "{path}：图的文件名必须以 {suffixes} 结尾",
    "{run}: no loss to draw yet": "{run}：还没有可绘制的损失",
    "matplotlib is not installed; to have it: pip install matplotlib": (
        "没有安装 matplotlib；安装：pip install matplotlib"
    ),
    # default.py, compare.py
    "{path}: damaged: it names no run and checkpoint; delete it": "{path}：已损坏：没有写明运行和检查点；请删除它",
    "no question with an answer to compare on": "没有带答案的问题可供比较",
    # console.py, verdicts.py
    "step {step}: {prompt}{text}": "第 {step} 步：{prompt}{text}",
    # what recipes are for
    "The way of instruction tuning with a tiny fresh model, in seconds; to try it, not to talk to.": (
        "用一个极小的新模型在几秒内走一遍指令微调的流程；只为体验，不为对话。"
    ),
    "Teaches a trained model, such as an imported GPT-2, to follow instructions (Alpaca's form); needs --from.": (
        "让训练好的模型（例如导入的 GPT-2）学会听从指令（Alpaca 格式）；需要 --from。"
    ),
    "nanoGPT's recipe for a CPU with rotary positions, to compare with its public 1.88 after 2,000 steps.": (
        "nanoGPT 的 CPU 配方，改用旋转位置编码，可与其公布的 2000 步 1.88 比较。"
    ),
    "The network of GPT-2 small on plain text, ten passes; it learns the text by heart, as the seed's does.": (
        "GPT-2 small 的网络，在纯文本上训练十遍；会把文本背下来，与原项目一样。"
    ),
    "A first language model on plain text, one pass in under a minute; GPT-2's parts, very small.": (
        "第一个纯文本语言模型，不到一分钟训练一遍；GPT-2 的各个部分，规模很小。"
    ),
    "The same task with the seed's network of 95 million parameters; an hour on two cores.": (
        "同样的任务，用原项目 9500 万参数的网络；双核约一小时。"
    ),
    "Reads a short Chinese passage and answers a question on it; a small network, made for two cores.": (
        "阅读一段中文短文并回答问题；为双核机器设计的小网络。"
    ),
    "A Chinese question-answerer of 3.6 million parameters, trained from nothing in minutes.": (
        "360 万参数的中文问答模型，几分钟内从零训练。"
    ),
    "after epoch {epoch}, step {step}: {prompt}{text}": "第 {epoch} 轮之后，第 {step} 步：{prompt}{text}",
    "making the corpus": "正在生成语料",
    "downloading the data": "正在下载数据",
    "reading the data": "正在读取数据",
    "cutting the rows into tokens": "正在把数据切成词元",
    "int8: {small} instead of {large}": "int8：{small}（原 {large}）",
    "{label}: {rows} rows": "{label}：{rows} 条",
    "valid, unseen values": "验证集（没见过的数值）",
    # sampling_options.py
    "which run (default: the promoted or the newest)": "哪个运行记录（默认：选定的或最新的）",
    # commands/train.py
    "begin with the weights and vocabulary of RUN or RUN:CHECKPOINT": "从 RUN 或 RUN:CHECKPOINT 的权重和词表开始",
    "ask unseen questions after training and print a table of the answers": "训练后提没见过的问题，列表显示回答情况",
    "nothing to verify: there is no question with an answer in the data": "无可检验：数据里没有带答案的问题",
    # commands/corpus.py
    "write a corpus that is made by a program": "写出由程序生成的语料",
    "which corpus: {names}": "哪种语料：{names}",
    "training rows (default: 100000)": "训练条数（默认：100000）",
    "validation rows, and as many with unseen values (default: 5000)": (
        "验证条数，另有同样多条含没见过的数值（默认：5000）"
    ),
    "the same seed makes the same corpus (default: 123)": "种子相同，语料就相同（默认：123）",
    "the folder to write into": "写到哪个文件夹",
    "{option} {value}: must be at least {least}": "{option} {value}：至少为 {least}",
    "{done:,} of {total:,} rows": "{done:,}/{total:,} 条",
    "{path}: {rows:,} rows": "{path}：{rows:,} 条",
    # commands/plot.py
    "whose losses to draw; several in one figure": "绘制谁的损失；多个画在一张图里",
    "an .svg, .png or .pdf file (default: in the run's figures; of several ./loss.svg)": (
        ".svg、.png 或 .pdf（默认：记录内的 figures；多个：./loss.svg）"
    ),
    # commands/compare.py
    "a run, or RUN:CHECKPOINT: what there is": "运行记录，或 RUN:CHECKPOINT：现有的",
    "likewise: what may be better": "同上：可能更好的",
    "questions with their answers (default: B's validation rows)": "问题和答案（默认：B 的验证集）",
    "make B the default checkpoint if it is better, and not by chance": "若 B 更好且并非偶然，就设为默认检查点",
    "rates, changed rows and the verdict as JSON": "以 JSON 输出比率、变化的题目和结论",
    "asking both": "正在向两者提问",
    "note: {run} was trained on this very file": "提示：{run} 正是用这个文件训练的",
    "only B is right: {gained} rows; only A is right: {lost} rows": "只有 B 答对：{gained} 题；只有 A 答对：{lost} 题",
    "… and {count} more (--json has all)": "……另有 {count} 题（--json 可看全部）",
    "B is better than A (p = {p:.2g}, exact paired test)": "B 比 A 好（p = {p:.2g}，配对精确检验）",
    "B is worse than A (p = {p:.2g}, exact paired test)": "B 比 A 差（p = {p:.2g}，配对精确检验）",
    "no difference that chance would not give too (p = {p:.2g}, exact paired test)": (
        "没有超出偶然的差别（p = {p:.2g}，配对精确检验）"
    ),
    "{run} is the default checkpoint now: ask, chat and eval use it unless --run names another": (
        "{run} 现为默认检查点：ask、chat、eval 不用 --run 指定时就用它"
    ),
    "not promoted: {run} loses {lost} rows and gains {gained}": "没有选定：{run} 多错 {lost} 题，多对 {gained} 题",
    "not promoted: {gained} rows gained and {lost} lost may be chance; p would have to be below 0.05": (
        "没有选定：多对 {gained} 题、多错 {lost} 题可能只是偶然；p 须小于 0.05"
    ),
    # schema.py
    "Neighbouring rows that begin alike, as questions on one text do: so many share that beginning, computed "
    "once; 1: each row alone.": (
        "开头相同的相邻数据行（如同一段文字的几个问题）最多这么多条共用开头，只计算一次；1 表示每行单独学。"
    ),
    # commands/runs.py
    "default: {checkpoint}": "默认：{checkpoint}",
}
