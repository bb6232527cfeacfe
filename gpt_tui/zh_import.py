"""Chinese for ``gpt-tui import`` and what ``core.interop`` reads."""

TEXTS: dict[str, str] = {
    # commands/import_.py, commands/runs.py
    "make a run of a model that was trained elsewhere": "把别处训练的模型导入为运行记录",
    "Make a run of a model that was trained elsewhere.": "把别处训练的模型导入为运行记录。",
    "the new run's name (default: made from the source)": "新运行的名称（默认：取自来源）",
    "the new run as JSON": "以 JSON 输出新的运行",
    "GPT-2, from a folder with its files, or by its size from the Hugging Face hub": (
        "GPT-2：读取其文件夹，或按规模从 Hugging Face 下载"
    ),
    "a folder with Hugging Face's or OpenAI's files, or one of {sizes}": ("其文件所在的文件夹，或规模：{sizes}"),
    "a checkpoint of GPT_teacher or ch_lite_gpt, the programs that this one comes from": (
        "GPT_teacher 或 ch_lite_gpt（本程序的前身）的检查点"
    ),
    "the checkpoint, such as checkpoints/last.pt": "检查点，例如 checkpoints/last.pt",
    "the tokenizer.json it was trained with (default: the one near it)": (
        "训练它时使用的 tokenizer.json（默认：检查点附近的那个）"
    ),
    "how it was asked, where it was not as its program asks it": "提问的模板；与原程序不同时才需要指定",
    "imported as {run}: {parameters:,} parameters": "已导入为 {run}：{parameters:,} 个参数",
    "imported from: {source}": "导入自：{source}",
    # core/interop/install.py, core/training/begin.py
    "{run}: there is something of this name already; choose another --run name": (
        "{run}：这个名称已被占用；请换一个 --run 名称"
    ),
    "{run}: this run was imported, there is no training in it to go on with; train it further in a new run: "
    "gpt-tui train --from {name}": (
        "{run}：这是导入的运行，其中没有可继续的训练；请在新的运行中继续训练它：gpt-tui train --from {name}"
    ),
    "{source}: its vocabulary has {tokens} tokens, its weights only {rows}: they do not belong together": (
        "{source}：词表有 {tokens} 个词元，权重只有 {rows} 个：两者不配套"
    ),
    "{rows} rows of the embedding left out: the vocabulary has no tokens for them": (
        "略去嵌入矩阵的 {rows} 行：词表中没有对应的词元"
    ),
    "{source}: tensor '{name}': {found} does not fit the settings, which want {wanted}": (
        "{source}：张量“{name}”：{found} 与设置不符，应为 {wanted}"
    ),
    # core/interop/gpt2.py
    "{path}: no GPT-2 in it; expected config.json with model.safetensors or pytorch_model.bin, or OpenAI's "
    "hparams.json with model.ckpt.index and model.ckpt.data-00000-of-00001": (
        "{path}：其中没有 GPT-2；应有 config.json 和 model.safetensors 或 pytorch_model.bin，或者 OpenAI 的 "
        "hparams.json 和 model.ckpt.index、model.ckpt.data-00000-of-00001"
    ),
    "{path}: is a file, expected the folder it lies in": "{path}：这是文件，应给出它所在的文件夹",
    "{path}: no such folder": "{path}：没有这个文件夹",
    "{path}: no weights in it; expected model.safetensors or pytorch_model.bin": (
        "{path}：其中没有权重；应有 model.safetensors 或 pytorch_model.bin"
    ),
    "{file}: it says {said} tokens, the weights have {rows}": "{file}：其中写明 {said} 个词元，权重却有 {rows} 个",
    "{file}: a network that this program does not have: {problem}": "{file}：本程序没有这样的网络：{problem}",
    "{file}: not a file of weights: expected tensors by name": "{file}：不是权重文件：应为带名称的张量",
    "{file}: not an index of weights: expected a weight_map": "{file}：不是权重索引：应有 weight_map",
    "{file}: it refers to {name}, outside its own folder": "{file}：它引用了所在文件夹之外的 {name}",
    "{file}: not the settings of a model": "{file}：不是模型的设置",
    "{file}: model_type: {found}: only gpt2 can be imported": "{file}：model_type：{found}：只能导入 gpt2",
    "{file}: activation_function: {found}: only {names} can be imported": (
        "{file}：activation_function：{found}：只能导入 {names}"
    ),
    "{file}: {key}: {found}: only {wanted} can be imported": "{file}：{key}：{found}：只能导入 {wanted}",
    "{file}: {key}: found {found}, expected {wanted}": "{file}：{key}：得到 {found}，应为 {wanted}",
    "a whole number above 0": "大于 0 的整数",
    # core/interop/tensors.py, safetensors_file.py
    "{file}: the tensor '{name}' is missing (it begins with {there})": (
        "{file}：缺少张量“{name}”（开头的张量是 {there}）"
    ),
    "{file}: tensor '{name}': {what}": "{file}：张量“{name}”：{what}",
    "its shape is {found}, expected {wanted}": "形状为 {found}，应为 {wanted}",
    "it holds {dtype}, expected floating point": "数据类型为 {dtype}，应为浮点数",
    "it holds numbers that are infinite or not a number": "含有无穷大或非数值",
    "{file}: it holds tensors that this architecture does not have: {names} ({count} in all)": (
        "{file}：含有此结构没有的张量：{names}（共 {count} 个）"
    ),
    "{file}: tensor '{name}': numbers of kind {kind} are not supported": (
        "{file}：张量“{name}”：不支持 {kind} 类型的数"
    ),
    "{source}: {parameters} parameters take {needed:.1f} GB of memory to import, {free:.1f} GB are free": (
        "{source}：导入 {parameters} 个参数需要 {needed:.1f} GB 内存，可用 {free:.1f} GB"
    ),
    # core/interop/torch_file.py, pickles.py
    "{file}: refused, as only weights are read and no program is run: {problem}": (
        "{file}：已拒绝；本程序只读取权重，不执行其中的任何代码：{problem}"
    ),
    "{file}: a zip, but not one of torch.save: it has no data.pkl": (
        "{file}：是 zip 文件，但不是 torch.save 写的：其中没有 data.pkl"
    ),
    "{file}: its numbers are big-endian, which is not supported": "{file}：其中的数为大端序，不支持",
    "{file}: not a file that torch.save has written": "{file}：不是 torch.save 写的文件",
    "{file}: of a machine or a version of torch that is not supported": "{file}：来自不支持的机器或 torch 版本",
    "its part {name} is missing": "缺少其中的 {name}",
    "its part {name} has {size} bytes, expected {expected}": "其中的 {name} 有 {size} 字节，应为 {expected} 字节",
    "it has numbers for no tensor": "有不属于任何张量的数据",
    "it ends within its numbers": "数据不完整，文件被截断",
    "numbers of a tensor are missing": "缺少某个张量的数据",
    "a dict made of a list": "由列表构造字典",
    "it refers to something that is no storage of numbers": "引用了不是数值存储的内容",
    "one storage of two kinds": "同一存储有两种类型",
    "a tensor without storage": "张量没有对应的存储",
    "a tensor with an impossible shape": "张量的形状不可能存在",
    "a tensor larger than its numbers": "张量比它的数据还大",
    "its tensors are many times larger than its numbers": "张量的总量是数据的许多倍",
    "it is too long": "太长",
    "it ends too early": "过早结束",
    "it is no pickle": "不是 pickle",
    "it takes from an empty stack": "从空栈中取值",
    "it names {name}, which no file of weights needs": "引用了 {name}，权重文件用不到它",
    "it calls something that is not a tensor": "调用了与张量无关的内容",
    "it sets attributes": "设置对象的属性",
    "it has the instruction {name}, which no file of weights needs": "含有指令 {name}，权重文件用不到它",
    "a mark is missing": "缺少标记",
    "a key that is no text": "键不是文本",
    "it fills something that cannot be filled": "向不是容器的内容中写入",
    # core/interop/tensorflow_bundle.py, leveldb_table.py
    "its end is not that of an index of TensorFlow": "结尾不是 TensorFlow 索引的格式",
    "it ends within a number": "在一个数的中间结束",
    "a number is too long": "一个数过长",
    "a block lies outside of it": "数据块超出文件范围",
    "a block does not match its checksum": "数据块与校验和不符",
    "a block is compressed, which TensorFlow's are not": "数据块经过压缩，而 TensorFlow 的不会压缩",
    "a block is too short": "数据块过短",
    "an entry lies outside of its block": "条目超出数据块范围",
    "its header is not understood, or big-endian": "文件头无法识别，或为大端序",
    "a tensor is cut into slices, which GPT-2's are not": "张量被切成多片，而 GPT-2 的不会",
    "a tensor of another kind than numbers": "张量的类型不是数",
    "the shape of a tensor does not agree with its size": "张量的形状与大小不符",
    "a tensor lies outside of its file, which is cut off": "张量超出文件范围，文件被截断",
    "a shape that is not known": "形状未知",
    "a message lies outside of its entry": "消息超出条目范围",
    "a message that is not understood": "消息无法识别",
    "{file}: damaged: a tensor does not match its checksum": "{file}：已损坏：张量与校验和不符",
    # core/interop/hub.py
    "GPT-2 {size} is not here and cannot be downloaded ({reason}); on another machine get {files} from "
    "https://huggingface.co/{repository}/tree/main, put them into {folder} and repeat the command": (
        "这里没有 GPT-2 {size}，也无法下载（{reason}）；请在另一台机器上从 "
        "https://huggingface.co/{repository}/tree/main 取得 {files}，放进 {folder}，再执行一次这条命令"
    ),
    "{file}: {bytes} bytes from {url}": "{file}：{bytes} 字节，来自 {url}",
    "huggingface_hub is missing: pip install 'gpt-tui[hub]'": "缺少 huggingface_hub：pip install 'gpt-tui[hub]'",
    "HF_HUB_OFFLINE is set": "设置了 HF_HUB_OFFLINE",
    "the hub names neither size nor checksum": "服务器没有给出大小和校验和",
    "{url}: what came from there does not match its checksum; nothing was kept": (
        "{url}：下载的内容与校验和不符；没有保留"
    ),
    "the connection broke after {have} of {total} bytes; repeat the command to go on there": (
        "连接在收到 {have}/{total} 字节后中断；再执行一次这条命令即可从此处继续"
    ),
    # core/interop/seeds.py
    "{file}: not a checkpoint of the seeds: expected a 'model' or 'weights', and its 'cfg'": (
        "{file}：不是前身程序的检查点：应有“model”或“weights”，以及“cfg”"
    ),
    "{file}: its weights are rounded to int8; import the last.pt beside it, an int8 checkpoint is written from that": (
        "{file}：其权重已量化为 int8；请导入旁边的 last.pt，int8 检查点会由它生成"
    ),
    "{file}: its cfg has no section '{name}'": "{file}：其中的 cfg 没有“{name}”一节",
    "{file}: an architecture that is not known: it is neither GPT_teacher's nor ch_lite_gpt's": (
        "{file}：未知的结构：既不是 GPT_teacher 的，也不是 ch_lite_gpt 的"
    ),
    "{folder}: no tokenizer.json beside the checkpoint; name the one it was trained with: --tokenizer FILE": (
        "{folder}：检查点旁边没有 tokenizer.json；请指明训练它时使用的那个：--tokenizer FILE"
    ),
    "{file}: its output layer is not its embedding, as in these programs it is": (
        "{file}：输出层与嵌入不是同一个矩阵，而这些程序中两者相同"
    ),
    "its vocabulary knows only the bytes of its own corpus: in other texts they become <unk>": (
        "它的词表只认识自己语料中的字节：其他文本中的会变成 <unk>"
    ),
}
