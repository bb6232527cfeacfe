"""Chinese for ``gpt-tui export``, ``import bundle`` and ``push``."""

TEXTS: dict[str, str] = {
    "{file}: damaged: {name} is compressed in no way that this program uses": (
        "{file}：已损坏：{name} 的压缩方式本程序不用"
    ),
    "write a run as files that other programs read": "把运行记录导出为其他程序能读的文件",
    "Write a run as files that other programs read.": "把运行记录导出为其他程序能读的文件。",
    "upload a run to the Hugging Face hub": "把运行记录上传到 Hugging Face",
    "Upload a run to the Hugging Face hub.": "把运行记录上传到 Hugging Face。",
    "a folder for Hugging Face's transformers, with a model card": (
        "供 Hugging Face 的 transformers 使用的文件夹，附模型卡"
    ),
    "the folder to make": "要生成的文件夹",
    "one file for llama.cpp": "供 llama.cpp 使用的单个文件",
    "the file to write": "要写入的文件",
    "what matrices are stored as (default: f16)": "矩阵的存储格式（默认 f16）",
    "the whole run in one file, for gpt-tui import bundle elsewhere": (
        "整个运行打包成一个文件，供别处用 gpt-tui import bundle 导入"
    ),
    "also what is needed to go on with the training: up to twice the size": (
        "连同继续训练所需的优化器状态一起打包：体积最多为两倍"
    ),
    "replace what an export has written there before": "替换那里以前导出的内容",
    "{count} files": "{count} 个文件",
    "a run that somebody else has exported as a bundle": "别人导出的运行包",
    "the bundle": "运行包文件",
    "where to: USER/NAME": "上传到哪里：用户名/名称",
    "a new repository is for all to see (default: private)": "新仓库对所有人公开（默认：私有）",
    "only say what would be uploaded": "只列出将要上传的内容",
    "nothing was uploaded; it would go to https://huggingface.co/{name}": (
        "没有上传任何内容；目标是 https://huggingface.co/{name}"
    ),
    "you are not logged in there: hf auth login": "尚未登录，请先运行：hf auth login",
    "uploaded: {address}": "已上传：{address}",
    # core/interop
    "{settings}: {program} has no model that is built like this": "{settings}：{program} 没有这种结构的模型",
    "{path}: is not a folder": "{path}：不是文件夹",
    "{path}: holds other files ({name}); choose a folder of its own": (
        "{path}：里面有其他文件（{name}）；请另选一个文件夹"
    ),
    "{path}: exists already; --force replaces it": "{path}：已经存在；加 --force 则替换",
    "{path}: its weights are rounded to int8; export the checkpoint 'last' or 'best'": (
        "{path}：权重已舍入为 int8；请导出检查点 last 或 best"
    ),
    "gguf is not installed; to have it: pip install gguf": "没有安装 gguf；安装方法：pip install gguf",
    "{name}: a weight of {value:g} is too large for f16; use --type f32": (
        "{name}：权重 {value:g} 超出 f16 的范围；请用 --type f32"
    ),
    "tokenizer.kind=char: llama.cpp has no tokenizer of single characters": (
        "tokenizer.kind=char：llama.cpp 没有单字符词表"
    ),
    "this vocabulary cuts text by a rule of its own, which a GGUF file cannot name": (
        "这个词表用自己的规则切分文本，GGUF 文件无法写明"
    ),
    "{path}: int8 alone is no run; choose 'last' or 'best'": "{path}：只有 int8 不成运行；请选 last 或 best",
    "{file}: not a bundle or damaged: {reason}": "{file}：不是运行包，或已损坏：{reason}",
    "{file}: damaged: {name} is missing": "{file}：已损坏：缺少 {name}",
    "{file}: damaged: bundle.json does not name {name}": "{file}：已损坏：bundle.json 里没有 {name}",
    "{run}: exists already; choose another name with --run NAME": "{run}：已经存在；请用 --run 名称 另取一个名称",
    "{file}: refused: {name} does not belong in a bundle": "{file}：拒绝导入：{name} 不该出现在运行包里",
    "{file}: refused: {name} is a link or a device": "{file}：拒绝导入：{name} 是链接或设备",
    "{file}: refused: {name} is encrypted": "{file}：拒绝导入：{name} 已加密",
    "{file}: refused: {name} comes twice": "{file}：拒绝导入：{name} 出现两次",
    "{file}: refused: more than {limit} members": "{file}：拒绝导入：成员超过 {limit} 个",
    "{file}: refused: {size:,} bytes that say they become {total:,}": (
        "{file}：拒绝导入：{size:,} 字节声称解压后有 {total:,} 字节"
    ),
    "{file}: damaged: {name} is not where the list of members says": "{file}：已损坏：{name} 不在目录所说的位置",
    "{file}: no bundle of this program: bundle.json is missing": "{file}：不是本程序的运行包：缺少 bundle.json",
    "{file}: damaged: bundle.json is not a manifest of this program": "{file}：已损坏：bundle.json 不是本程序的清单",
    "{file}: damaged: {name} does not match its checksum": "{file}：已损坏：{name} 与校验和不符",
    "{file}: no checkpoint in it": "{file}：里面没有检查点",
    "{file}: damaged: {problem}": "{file}：已损坏：{problem}",
    "huggingface_hub is not installed; to have it: pip install huggingface_hub": (
        "没有安装 huggingface_hub；安装方法：pip install huggingface_hub"
    ),
    "{name}: a repository is called USER/NAME: letters, digits, '-', '_' and '.', at most 96": (
        "{name}：仓库名的格式是 用户名/名称：字母、数字、“-”、“_”、“.”，最多 96 个字符"
    ),
    "{name}: not uploaded: {reason}": "{name}：没有上传：{reason}",
}
