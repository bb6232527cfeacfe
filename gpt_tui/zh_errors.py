"""Chinese for what ``core`` and the commands report: errors, and notices of a training."""

TEXTS = {
    # prepare.py
    "{count} answers contain a stop string and would be cut there ({where}); --set sampling.stop=[] lets "
    "only the end token end an answer": (
        "有 {count} 个回答含有停止串，会在那里被截断（{where}）；--set sampling.stop=[] 则只由结束符结束回答"
    ),
    # yamlio.py
    "the key '{key}' is given twice": "键“{key}”出现两次",
    "not readable": "无法读取",
    # config.py
    "--set {item}: expected key.path=value": "--set {item}：应为 key.path=value 的形式",
    "--set {key}: unknown setting{hint}": "--set {key}：没有这项设置{hint}",
    ", did you mean '{name}'?": "，是不是想写“{name}”？",
    "{where}{key}: {problem}{more}": "{where}{key}：{problem}{more}",
    " (and {count} more)": "（另有 {count} 处）",
    "settings": "设置",
    "unknown setting{hint}": "没有这项设置{hint}",
    "found {value}, allowed: {allowed}": "得到 {value}，允许：{allowed}",
    "found {value}, expected a group of 'key: value' lines": "得到 {value}，应为一组“键: 值”",
    "is missing": "缺少此项",
    "one of {choices}": "{choices} 之一",
    "true or false": "true 或 false",
    "a whole number": "整数",
    "a number": "数",
    "{number} above {low}": "大于 {low} 的{number}",
    "{number} of at least {low}": "不小于 {low} 的{number}",
    "{number} above {low} and up to {high}": "大于 {low} 且不超过 {high} 的{number}",
    "{number} from {low} to {high}": "{low} 到 {high} 的{number}",
    "{number} from {low} to below {high}": "不小于 {low} 且小于 {high} 的{number}",
    "a list": "列表",
    "a group": "一组设置",
    "a list of at most {max_length}": "最多 {max_length} 项的列表",
    "text": "文本",
    "text that is not empty": "非空文本",
    "text of at most {max_length} characters": "不超过 {max_length} 个字符的文本",
    "text that matches {pattern}": "符合 {pattern} 的文本",
    "{words} or empty": "{words}，或留空",
    # schema.py
    "n_embd ({n_embd}) must be a multiple of n_head ({n_head})": "n_embd（{n_embd}）必须是 n_head（{n_head}）的倍数",
    "n_head ({n_head}) must be a multiple of n_kv_head ({n_kv_head})": (
        "n_head（{n_head}）必须是 n_kv_head（{n_kv_head}）的倍数"
    ),
    "with rope, head_dim (or n_embd / n_head) must be even, found {head_dim}": (
        "使用 rope 时 head_dim（或 n_embd / n_head）必须是偶数，现为 {head_dim}"
    ),
    "one of max_steps, max_epochs, max_minutes must be set, or the training never ends": (
        "max_steps、max_epochs、max_minutes 至少要设一项，否则训练不会结束"
    ),
    "min_lr ({min_lr}) must not be above lr ({lr})": "min_lr（{min_lr}）不能大于 lr（{lr}）",
    "min_new_tokens ({low}) must not be above max_new_tokens ({high})": (
        "min_new_tokens（{low}）不能大于 max_new_tokens（{high}）"
    ),
    # yamlio.py
    "{file}:{line}: not valid YAML: {problem}": "{file}:{line}：YAML 有误：{problem}",
    "{file}: not valid YAML: {problem}": "{file}：YAML 有误：{problem}",
    "{file}:1: expected 'key: value' lines, found something else": "{file}:1：应为“键: 值”形式的行",
    "anchors and aliases are not allowed": "不允许使用锚点和别名",
    "nested too deeply": "嵌套过深",
    "a key must be a word": "键必须是一个词",
    "a number of over 40 digits": "数字超过 40 位",
    # storage.py
    "{path}: is a folder, expected a file": "{path}：是文件夹，应为文件",
    "{path}: no such file": "{path}：没有这个文件",
    "{path}: cannot be read: {reason}": "{path}：无法读取：{reason}",
    "{path}: is not a regular file": "{path}：不是普通文件",
    "{path}: larger than {limit} bytes": "{path}：大于 {limit} 字节",
    "{path}:{line}: not UTF-8 text; save the file as UTF-8 (not GBK, say)": (
        "{path}:{line}：不是 UTF-8 文本；请把文件另存为 UTF-8 编码（例如它可能是 GBK）"
    ),
    "{path}:{line}: not valid JSON: {problem}": "{path}:{line}：JSON 有误：{problem}",
    "{path}: not valid JSON: nested too deeply or a number too long": "{path}：JSON 有误：嵌套过深或数字过长",
    "{run}: another process is writing to it (process {pid} on {host}); "
    "wait for it, stop it, or choose another --run name": (
        "{run}：另一个进程正在写入（{host} 上的进程 {pid}）；请等它结束、停止它，或换一个 --run 名称"
    ),
    # records.py
    "{name}: no such file here and none bundled under this name": "{name}：没有这个文件，自带数据中也没有这个名称",
    "{where}: the line is longer than {limit} bytes": "{where}：这一行超过 {limit} 字节",
    "{where}: not valid JSON: {problem} at character {column}": "{where}：JSON 有误，第 {column} 个字符处：{problem}",
    '{where}: {cells} cells, but {names} columns; a cell with a "{delimiter}" in it needs quotes': (
        "{where}：有 {cells} 个单元格，但只有 {names} 列；含有“{delimiter}”的单元格要用引号括起来"
    ),
    "{where}: not a table: {problem}": "{where}：不是表格：{problem}",
    "{path}: a {kind} file is not text; save it as .csv (UTF-8)": "{path}：{kind} 文件不是文本；请另存为 .csv（UTF-8）",
    "{where}: not UTF-8 text; save the file as UTF-8 (not GBK, say)": (
        "{where}：不是 UTF-8 文本；请把文件另存为 UTF-8 编码（例如它可能是 GBK）"
    ),
    "{where}: nested too deeply or a number too long": "{where}：嵌套过深或数字过长",
    "{where}: expected an object such as {example}, found {kind}": "{where}：应为 {example} 这样的对象，得到{kind}",
    "{where}: '{key}' must be text, found {kind}": "{where}：“{key}”必须是文本，得到{kind}",
    "{where}: 'text' is empty": "{where}：“text”是空的",
    "{where}: '{key}' is empty": "{where}：“{key}”是空的",
    "{where}: no question and answer found; expected prompt/completion, query/answer, "
    "instruction/input/output, messages or text, found the keys: {keys}": (
        "{where}：没有找到问题和答案；应有 prompt/completion、query/answer、"
        "instruction/input/output、messages 或 text，现有的键：{keys}"
    ),
    "{where}: message {number}: {problem}": "{where}：第 {number} 条消息：{problem}",
    "{where}: the conversation has no answer to learn from": "{where}：对话中没有可学习的回答",
    "expected an object": "应为对象",
    "a system message must come first": "system 消息必须放在最前面",
    "an answer without a question before it": "回答之前没有问题",
    "an object": "对象",
    "true/false": "true/false",
    "nothing": "空值",
    "none": "无",
    # doctor.py, dataset.py, prepare.py
    "{path}: no rows in it": "{path}：里面没有数据",
    "{source}: no answer is left to learn from ({rows} rows read, {lost} with an answer longer than "
    "model.seq_len); use longer sequences or shorter answers": (
        "{source}：没有可学习的答案（读入 {rows} 条，其中 {lost} 条的答案超过 model.seq_len）；请加大序列长度或缩短答案"
    ),
    "the vocabulary has {size} tokens, not the {asked} asked for: the text has no more pairs to merge": (
        "词表有 {size} 个词元，不到要求的 {asked} 个：文本中已没有可合并的词元对"
    ),
    "training.early_stopping_patience needs validation data, and no row of it is left": (
        "training.early_stopping_patience 需要验证数据，但一条也没有剩下"
    ),
    "no validation rows: the best checkpoint cannot be told, only the last one": (
        "没有验证数据：无法判断最佳检查点，只有最后一个"
    ),
    "{name}: {lost} rows left out, their answers are longer than model.seq_len ({where})": (
        "{name}：舍去 {lost} 条，答案超过 model.seq_len（{where}）"
    ),
    "{name}: {cut} questions were too long, their oldest {tokens} tokens were cut": (
        "{name}：{cut} 个问题过长，截去了最前面的 {tokens} 个词元"
    ),
    "{count} of {rows} training rows stand there more than once (data.duplicates: {action})": (
        "{rows} 条训练数据中有 {count} 条是重复的（data.duplicates: {action}）"
    ),
    "{count} validation rows are also trained on (data.leaks: {action})": (
        "有 {count} 条验证数据也在训练数据中（data.leaks: {action}）"
    ),
    # tokenizer.py
    "the tokenizer has neither {name} nor {gpt2}": "分词器里既没有 {name} 也没有 {gpt2}",
    "{file}: not a tokenizer: {reason}": "{file}：不是分词器：{reason}",
    "no JSON in line {line}: {problem}": "第 {line} 行不是 JSON：{problem}",
    "{file}: only byte-level BPE and character tokenizers are supported, found {kind}": (
        "{file}：只支持字节级 BPE 和字符分词器，得到 {kind}"
    ),
    "{file}: the byte alphabet is incomplete, some text could not be read": (
        "{file}：字节字母表不完整，有些文本会无法读取"
    ),
    "{file}: the numbers of its tokens have gaps or come twice": "{file}：词元编号有空缺或重复",
    "{file}: it changes the text that it reads": "{file}：它会改变读入的文本",
    # checkpoint.py
    "{file}: damaged: {reason}": "{file}：已损坏：{reason}",
    "{path}: no such checkpoint": "{path}：没有这个检查点",
    "{path}: damaged: not a manifest of this program": "{path}：已损坏：不是本程序的清单",
    "{path}: damaged: a file outside the checkpoint": "{path}：已损坏：有文件在检查点之外",
    "{path}: is a link, expected a file": "{path}：是链接，应为文件",
    "{path}: damaged: it does not match its checksum ({size} bytes, expected {expected})": (
        "{path}：已损坏：与校验和不符（{size} 字节，应为 {expected}）"
    ),
    "{path}: damaged: not a state": "{path}：已损坏：不是训练状态",
    "{path}: no whole checkpoint: {problem}": "{path}：没有完整的检查点：{problem}",
    "{path}: no checkpoint yet": "{path}：还没有检查点",
    "no checkpoint '{which}'; there are: {names}": "没有检查点“{which}”；现有：{names}",
    # runs.py
    "{run}: this run exists already; go on with --resume {name} or choose another --run name": (
        "{run}：这个运行记录已存在；用 --resume {name} 继续，或换一个 --run 名称"
    ),
    "{run}: cannot be written: {reason}": "{run}：无法写入：{reason}",
    "{run}: cannot be deleted: {reason}": "{run}：无法删除：{reason}",
    "{run}: no such run (no config.yaml in it)": "{run}：没有这个运行记录（其中没有 config.yaml）",
    "{run}: a training is writing to it; stop it first": "{run}：训练正在写入；请先停止训练",
    "{run}: not deleted: nothing in it comes from a training": "{run}：没有删除：其中没有训练产生的文件",
    "{path}: does not fit: {reason}": "{path}：与模型不符：{reason}",
    "no run '{name}' in {folder}; there are: {names}": "{folder} 中没有运行记录“{name}”；现有：{names}",
    "no trained run in {folder}; train one first: gpt-tui --no-ui train": (
        "{folder} 中还没有训练好的模型；请先训练一个：gpt-tui --no-ui train"
    ),
    "--run {name}: a run's name is letters, digits, '.', '_', '+' and '-', at most 100": (
        "--run {name}：名称只能用字母、数字、“.”、“_”、“+”和“-”，最多 100 个"
    ),
    # machine.py
    "training.device: {wanted} is not available on this machine; there are: {names}": (
        "training.device：这台机器上没有 {wanted}；现有：{names}"
    ),
    "{run}: this run is gone": "{run}：这个运行记录已不存在",
    "--set {key}: further training keeps the architecture and the vocabulary of {run}, which has {value}": (
        "--set {key}：继续训练会保留 {run} 的结构和词表，它的值是 {value}"
    ),
    "and other rows are held out: those trained on before make the evaluation look too good": (
        "留作验证的数据也随之不同：其中一些先前已用于训练，评估结果会偏好"
    ),
    "{path}: has changed since the run was trained on it: which rows were held out is no longer known; name a file "
    "with --data FILE": "{path}：训练之后有改动，已无法知道当时留出了哪些数据；请用 --data FILE 指定文件",
    "{which}: has no optimizer's memory to hand on; choose the checkpoint 'last'": (
        "{which}：没有优化器的记忆可以带上；请选择检查点 last"
    ),
    "--allow-origin {url}: expected an origin such as https://chat.example:8080": (
        "--allow-origin {url}：应为来源，例如 https://chat.example:8080"
    ),
    # training/
    "{run}: this training has ended, after {steps} steps; to go on with it ask for more than that: --steps N "
    "or --minutes N": "{run}：这次训练已结束，共 {steps} 步；要继续，请给更多：--steps N 或 --minutes N",
    "{run}: the folder was removed while its training went on; it is made again, older checkpoints are lost": (
        "{run}：训练期间这个文件夹被删除；现已重新建立，之前的检查点已丢失"
    ),
    "resume needs a run": "继续训练需要指定运行记录",
    "{key}: cannot change when a run goes on; start a new run for that": "{key}：继续训练时不能修改；请另开一次训练",
    "{key}: cannot change during a run": "{key}：训练过程中不能修改",
    "{problem}": "{problem}",
    "{problem}; the checkpoint before it is used": "{problem}；改用它之前的检查点",
    "the checkpoint of step {step} has no optimizer's memory: that begins anew, and the loss rises at first": (
        "第 {step} 步的检查点没有优化器的记忆：它将重新开始，损失会先上升"
    ),
    "the data changed since step {step}: its rows come in a new order from here on": (
        "第 {step} 步之后数据有改动：从这里起按新的顺序训练"
    ),
    "{path}: cannot be written: {reason}": "{path}：无法写入：{reason}",
    "checkpoint at step {step} not written: {reason}; the one before is kept": (
        "第 {step} 步的检查点没有写入：{reason}；保留前一个"
    ),
    "config.yaml not written: {reason}": "config.yaml 没有写入：{reason}",
    "not verified: {problem}": "没有验证：{problem}",
    "{path}: has changed since it was read: its rows are no longer where they were": (
        "{path}：读取之后有改动：各行已不在原来的位置"
    ),
    "report.json not written: {reason}": "report.json 没有写入：{reason}",
    "int8 checkpoint not written: {reason}": "int8 检查点没有写入：{reason}",
    # gpt_tui/commands
    "{path}: exists already and is no vocabulary; --force replaces it": (
        "{path}：已经存在，且不是词表；加 --force 则替换"
    ),
    "{path}: exists already and is no such corpus; --force replaces it": (
        "{path}：已经存在，且不是这种语料；加 --force 则替换"
    ),
    "runs list {name}: a list takes no name; one run: gpt-tui runs show {name}": (
        "runs list {name}：列表不需要名称；查看一个运行记录：gpt-tui runs show {name}"
    ),
    "--csv: only for gpt-tui runs export RUN": "--csv：只用于 gpt-tui runs export RUN",
    "--csv and --json exclude each other": "--csv 和 --json 不能同时使用",
    "this run has no validation file; name one with --data FILE": "这个运行记录没有验证文件；请用 --data FILE 指定",
    "{path}: no question with an answer in it": "{path}：里面没有带答案的问题",
    "which run? gpt-tui runs delete NAME": "删除哪一个？gpt-tui runs delete NAME",
    "{run}: add --yes to delete it without being asked": "{run}：加上 --yes 才能不经询问删除",
}
