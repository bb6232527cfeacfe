"""Chinese for the settings: what each one is, and its unit."""

TEXTS = {
    "The recipe these settings come from.": "这些设置来自哪个配方",
    "What the recipe is for.": "这个配方的用途",
    # sections
    "The network.": "网络结构",
    "From text to numbers.": "从文本到数字",
    "What to learn from.": "学习什么数据",
    "How to learn.": "如何学习",
    "How to answer.": "如何回答",
    # units
    "tokens": "词元",
    "bytes": "字节",
    "rows": "条",
    "steps": "步",
    "epochs": "轮",
    "minutes": "分钟",
    "evaluations": "次评估",
    "nats per token": "奈特/词元",
    # model
    "Transformer blocks, one after the other.": "依次相连的 Transformer 层数",
    "Attention heads per block.": "每层的注意力头数",
    "Heads for keys and values (grouped-query attention); empty: as many as n_head.": (
        "键和值的头数（分组查询注意力）；留空：与 n_head 相同"
    ),
    "Width: numbers per token.": "宽度：每个词元用多少个数表示",
    "Numbers per head; empty: n_embd / n_head.": "每个头用多少个数；留空：n_embd / n_head",
    "Longest context.": "最长上下文",
    "Share of activations dropped in training.": "训练时随机丢弃的激活比例",
    "Normalization before each part.": "各部分之前的归一化",
    "Smallest value under the root of the normalization.": "归一化根号内的最小值",
    "Feed-forward: two matrices around an activation, or the gated SwiGLU with three.": (
        "前馈网络：激活函数配两个矩阵，或三个矩阵的门控 SwiGLU"
    ),
    "Width inside the feed-forward; empty: 4 x n_embd.": "前馈网络的内部宽度；留空：4 x n_embd",
    "How the model knows the order of tokens.": "模型如何知道词元的顺序",
    "Base wavelength of RoPE.": "RoPE 的基准波长",
    "Biases in the linear layers (and in LayerNorm).": "线性层（及 LayerNorm）的偏置",
    "Biases of query, key and value; empty: as 'bias'.": "查询、键、值的偏置；留空：与 bias 相同",
    "One matrix for the embedding and the output layer.": "词嵌入与输出层共用一个矩阵",
    # tokenizer
    "Byte-level BPE, or one token per character.": "字节级 BPE，或每个字符一个词元",
    "Tokens to know, the 256 bytes and 3 special ones included.": "词元总数，包括 256 个字节和 3 个特殊词元",
    "Longest piece a BPE merge may build (a Chinese character is 3 bytes).": "BPE 合并的最大长度（一个汉字 3 个字节）",
    # data
    "The question.": "问题",
    "The right answer; empty: none is known.": "正确答案；留空：未知",
    "Validation data; empty: a part of the training data.": "验证数据；留空：取自训练数据",
    "Part of the training data kept for validation when 'valid' is empty.": "valid 留空时，从训练数据留出的验证比例",
    "How a question becomes a prompt: 用户/助手, Alpaca's headings, the text as it is, or the first as imported "
    "seeds have it, with an end token before the answer.": (
        "问题如何变成提示词：用户/助手、Alpaca 的标题、原样文本，或导入的前身模型所用的用户/助手（回答前有结束词元）。"
    ),
    "What to do with rows that stand there exactly twice.": "如何处理完全重复的数据",
    "What to do with validation rows that are also trained on.": "如何处理也出现在训练数据中的验证数据",
    "Plain text: how far the window moves; empty: a whole window.": "纯文本：窗口每次移动多远；留空：一整个窗口",
    "Questions asked after each evaluation.": "每次评估后提的问题",
    "Questions answered after training for the report; 0: none.": "训练结束后为报告回答的问题数；0：不回答",
    # training
    "Rows per optimizer step.": "每个优化步的数据条数",
    "Rows computed at once (less memory, same result); empty: the whole batch.": (
        "一次计算的条数（省内存，结果相同）；留空：整批"
    ),
    "Highest learning rate.": "最高学习率",
    "Learning rate at the end of the cosine.": "余弦下降结束时的学习率",
    "AdamW's decay, on matrices only.": "AdamW 的权重衰减，只作用于矩阵",
    "AdamW: memory of the mean of gradients.": "AdamW：梯度均值的衰减系数",
    "AdamW: memory of their squares.": "AdamW：梯度平方均值的衰减系数",
    "Share of the training in which the rate rises.": "学习率上升（预热）阶段占训练的比例",
    "Longest gradient; 0: no clipping.": "梯度的最大长度；0：不裁剪",
    "Optimizer steps; empty: no limit.": "优化步数；留空：不限",
    "Passes over the data; empty: no limit.": "遍历数据的轮数；留空：不限",
    "Time budget, reached by the schedule; empty: none.": "限定时间，学习率随之安排；留空：不限",
    "Steps between evaluations.": "每隔多少步评估一次",
    "Validation batches per evaluation; empty: all.": "每次评估的验证批数；留空：全部",
    "Steps between log lines.": "每隔多少步输出一行日志",
    "Steps between checkpoints.": "每隔多少步保存检查点",
    "Checkpoints kept besides the best.": "除最佳检查点外保留几个",
    "The same seed gives the same run.": "随机种子；种子相同，训练就相同",
    "Numbers to compute with; auto: what is fast here.": "计算所用的数值类型；auto：选本机较快的",
    "Where to compute.": "在哪个设备上计算",
    "CPU threads; empty: all that the process may use.": "CPU 线程数；留空：可用的全部",
    "How gradients become updates; Muon for the matrices of the blocks, AdamW for the rest.": (
        "如何用梯度更新参数；muon：各层的矩阵用 Muon，其余用 AdamW。"
    ),
    "Weight of the prompt's own tokens in the loss, of which one in four is counted; 0: answers alone.": (
        "提问部分的词元在损失中的权重，每四个取一个；0 表示只算答案。"
    ),
    "Stop after so many evaluations without a better loss; empty: never.": "连续多少次评估损失不降就停止；留空：从不",
    "Stop when the validation loss is this low; empty: never.": "验证损失降到此值就停止；留空：从不",
    "Write an int8 checkpoint at the end.": "结束时写一个 int8 检查点",
    # sampling
    "0: always the likeliest token; higher: freer.": "0：总取最可能的词元；越高越自由",
    "Only the k likeliest tokens; empty: all.": "只取最可能的 k 个词元；留空：全部",
    "Only the likeliest tokens that together reach this probability.": "只取合计达到此概率的最可能词元",
    "Above 1: tokens already used get less likely.": "大于 1：用过的词元不易再出现",
    "Longest answer.": "回答的最大长度",
    "Shortest answer.": "回答的最小长度",
    "Texts at which the answer ends; they are not shown.": "遇到这些文本就结束回答；它们不显示",
    "Drop punctuation and blanks before the answer.": "去掉回答开头的标点和空白",
}
