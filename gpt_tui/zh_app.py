"""Chinese for the app itself and its Train tab."""

TEXTS: dict[str, str] = {
    # tabs and what the app does
    "Train": "训练",
    "Config": "设置",
    "Chat": "对话",
    "Data": "数据",
    "Runs": "记录",
    "Help": "帮助",
    "Show all keys and what they do.": "显示所有按键及其作用。",
    "Quit": "退出",
    "Leave; while a model is trained, you are asked what becomes of it.": "离开；若正在训练，会先询问如何处理。",
    "Open the tab where a model is trained and watched.": "打开训练页：训练模型并观察。",
    "Open the tab with every setting.": "打开设置页：所有设置。",
    "Open the tab where the model is asked.": "打开对话页：向模型提问。",
    "Open the tab that shows the data as the model sees it.": "打开数据页：模型所见的数据。",
    "Open the tab with every run so far.": "打开记录页：所有训练记录。",
    "Next tab": "下一页",
    "Go to the tab on the right.": "转到右边的页。",
    "Previous tab": "上一页",
    "Go to the tab on the left.": "转到左边的页。",
    "All actions": "所有操作",
    "Find any action by a part of its name.": "输入名称的一部分，查找任何操作。",
    "a part of an action's name": "操作名称的一部分",
    "中文/English": "English/中文",
    "Switch between Chinese and English.": "在中文和英文之间切换。",
    "Next theme": "下一个配色",
    "Try the next set of colours.": "换成下一套配色。",
    "Choose a theme": "选择配色",
    "Choose among all sets of colours.": "从所有配色中选择。",
    "When the connection drops": "断线时",
    "Switch between: the training goes on without the screen; it is saved and stopped.": (
        "切换：断线后训练在后台继续，或保存并停止。"
    ),
    "when the connection drops, the training is saved and stopped": "断线时：保存并停止训练",
    "when the connection drops, the training goes on without the screen": "断线时：训练在后台继续",
    "Screenshot": "截屏",
    "Save the screen as a picture (SVG) in this folder.": "把屏幕存为图片（SVG），放在当前文件夹。",
    "Suspend": "挂起",
    "Pause the training and go back to the shell; fg brings the app back.": "暂停训练，回到命令行；用 fg 返回。",
    "Ctrl+Q leaves the app; Ctrl+C copies selected text": "Ctrl+Q 退出；Ctrl+C 复制选中的文字",
    "pausing after this step, then back to the shell; Ctrl+Z again: at once": (
        "本步结束后暂停并回到命令行；再按 Ctrl+Z 立即挂起"
    ),
    "theme: {name}": "配色：{name}",
    "saved: {path}": "已保存：{path}",
    "not possible now: {what}": "现在不能：{what}",
    # the window and the terminal
    "The window is {width}×{height}; at least {w}×{h} is needed. What runs goes on.": (
        "窗口为 {width}×{height}，至少需要 {w}×{h}。训练照常进行。"
    ),
    "use: gpt-tui --no-ui train, gpt-tui ask, gpt-tui --help": (
        "可用：gpt-tui --no-ui train、gpt-tui ask、gpt-tui --help"
    ),
    "the app needs a terminal, and input or output is redirected; {instead}": (
        "界面需要终端，而输入或输出被重定向了；{instead}"
    ),
    "the app needs a terminal that can draw, and this one is TERM={term}; {instead}": (
        "界面需要能绘图的终端，而这里是 TERM={term}；{instead}"
    ),
    "the window is {width}×{height}, the app needs at least {w}×{h}; enlarge it, or {instead}": (
        "窗口为 {width}×{height}，界面至少需要 {w}×{h}；请放大窗口，{instead}"
    ),
    "gpt-tui: the screen has failed – a fault in the program; details: {path}": (
        "gpt-tui：界面出错了，这是程序的缺陷；详情见 {path}"
    ),
    # leaving
    "left without saving: {run}": "未保存就离开了：{run}",
    "saved in {path}; the final check is left out": "已保存在 {path}；略去最后的复查",
    "{run} is being trained (step {step})": "{run} 正在训练（第 {step} 步）",
    "s  Save and quit": "s  保存并退出",
    "finish the step, write a checkpoint; go on later with --resume": "做完这一步，写检查点；以后用 --resume 继续",
    "d  Quit without saving": "d  不保存就退出",
    "the checkpoint of step {step} is kept": "保留第 {step} 步的检查点",
    "nothing of this run is kept to go on from": "这次训练将无法继续",
    "h  Go on without the screen": "h  关掉界面，继续训练",
    "lines in this terminal, as with --no-ui": "在此终端逐行输出，与 --no-ui 相同",
    "Esc  Cancel": "Esc  取消",
    "back to the app, the training goes on": "回到界面，训练照常进行",
    "Cancel": "取消",
    # help
    "The mouse works everywhere: click a tab, a key at the bottom, a plot; drag to select text, Ctrl+C copies "
    "it. Tab moves between the parts of a page, Esc leaves an input field.": (
        "处处可用鼠标：点击标签、底部的按键或曲线图；拖动选择文字，Ctrl+C 复制。"
        "Tab 在页面各部分间移动，Esc 离开输入框。"
    ),
    "Everywhere": "各页通用",
    "Tab {name}": "{name}页",
    "palette": "操作表",
    "Esc closes; ↑ ↓ PgUp PgDn scroll": "Esc 关闭；↑ ↓ PgUp PgDn 滚动",
    "Close": "关闭",
    # failures
    "failed: {cause}": "失败：{cause}",
    "the training has failed": "训练失败了",
    "What to do": "怎么办",
    "What to do: {advice}": "怎么办：{advice}",
    "All lines of the run: {path}": "完整日志：{path}",
    "the memory is used up": "内存用完了",
    "Set training.micro_batch to a smaller number (the result stays the same), or choose a smaller "
    "batch_size, seq_len or n_embd.": (
        "把 training.micro_batch 设小些（结果不变），或减小 batch_size、seq_len 或 n_embd。"
    ),
    "the disk is full": "磁盘满了",
    "Make room – gpt-tui runs delete RUN removes a run – then go on with the run from its newest checkpoint.": (
        "腾出空间（gpt-tui runs delete 名称 可删除一次训练），再从最新的检查点继续。"
    ),
    "The system refused it: look at the path, its owner and its permissions.": "系统拒绝了：请检查路径、所有者和权限。",
    "This is a fault in the program. The details are in the run's train.log; please report it.": (
        "这是程序的缺陷。详情见该次训练的 train.log，请反馈。"
    ),
    "The message says what to try; change it in the Config tab, then start again.": (
        "按提示在设置页修改，然后重新开始。"
    ),
    "Correct the file, or choose another under data.train in the Config tab; the Data tab shows it.": (
        "修正文件，或在设置页的 data.train 处另选；数据页可查看。"
    ),
    "Change the setting in the Config tab, then start again.": "在设置页修改，然后重新开始。",
    "Put it right, then start again.": "改正之后重新开始。",
    "a training is running; stop it first": "正在训练；请先停止",
    "nothing is being trained": "没有正在进行的训练",
    "the training does not answer just now (it is starting or ending); try the newest checkpoint": (
        "训练暂时没有回应（正在启动或结束）；请用最新的检查点"
    ),
    # the Train tab
    "Start": "开始",
    "Train a new run with the settings of the Config tab.": "按设置页的设置开始新的训练。",
    "Pause": "暂停",
    "Pause after the step that is being computed; the time stands still.": "做完当前步后暂停；计时停止。",
    "Resume": "继续",
    "Go on after a pause, or with a run that was stopped.": "暂停后继续，或继续已停止的训练。",
    "Stop": "停止",
    "End after the step that is being computed, and save a checkpoint.": "做完当前步后结束，并保存检查点。",
    "Save now": "立即保存",
    "Write a checkpoint without stopping.": "写检查点，不停止训练。",
    "Maximize": "放大",
    "Give the whole tab to the chosen plot, the answers or the log; and back.": (
        "让所选的图、回答或日志占满本页；再按还原。"
    ),
    "Smoothing": "平滑",
    "Average the curves less or more (EMA 0, 0.6, 0.9, 0.97).": "曲线平滑程度（EMA 0、0.6、0.9、0.97）。",
    "Log axis": "对数轴",
    "Logarithmic values for the chosen plot.": "所选的图用对数坐标。",
    "Full/recent": "全部/最近",
    "Show all steps, or only the newest fifth.": "显示所有步，或只显示最近的五分之一。",
    "Zoom in": "放大范围",
    "Show fewer steps, around the cursor.": "以光标为中心，显示更少的步。",
    "Zoom out": "缩小范围",
    "Show more steps.": "显示更多的步。",
    "Cursor left": "光标左移",
    "Read out the values to the left (in brackets: averaged).": "读出左边的数值（括号内为平滑值）。",
    "Cursor right": "光标右移",
    "Read out the values to the right.": "读出右边的数值。",
    "Far left": "左移十列",
    "Ten columns to the left.": "光标左移十列。",
    "Far right": "右移十列",
    "Ten columns to the right.": "光标右移十列。",
    "Next plot": "下一张图",
    "Choose the plot that the keys are meant for.": "选择按键作用于哪张图。",
    "Whole view": "还原",
    "Take back cursor, zoom and maximizing.": "依次取消光标、缩放和放大。",
    "Show the run that another process is training.": "显示另一个进程正在训练的运行。",
    "{run} is being trained outside this app; v shows it": "{run} 正在别处训练；按 v 观看",
    "Stop watching": "停止观看",
    "Show this app's own training again.": "重新显示本程序自己的训练。",
    "log": "日志",
    "loss": "损失",
    "eval": "验证",
    "learning rate": "学习率",
    "tokens/s": "词元/秒",
    "the loss appears here once a training runs": "开始训练后，这里显示损失曲线",
    "log axis": "对数轴",
    "zoomed": "局部",
    "recent": "最近",
    "no points yet": "还没有数据",
    "step {n}": "第 {n} 步",
    "(nothing)": "（空）",
    "live answers": "实时回答",
    "the questions of data.probes are asked after each evaluation; a text model writes after each epoch": (
        "每次评估后都会问 data.probes 中的问题；文本模型在每轮之后续写"
    ),
    "the training goes on here without the screen; Ctrl+C saves and ends it": (
        "训练在此继续，不再显示界面；Ctrl+C 保存并结束"
    ),
    "watch it from another terminal: gpt-tui watch {run}": "在另一个终端观看：gpt-tui watch {run}",
    "live text": "实时续写",
    "epoch {n}, step {step}:": "第 {n} 轮，第 {step} 步：",
    "at step {step}": "第 {step} 步",
    "{right} of {total} right": "{total} 题对 {right} 题",
    "{percent:3.0f} %   elapsed {elapsed}   ETA {eta}": "{percent:3.0f} %   已用 {elapsed}   剩余 {eta}",
    "eval loss": "验证损失",
    "lr": "学习率",
    "grad norm": "梯度",
    "memory": "内存",
    "saved": "存档",
    "not yet": "尚无",
    "epoch": "轮",
    "skipped steps": "跳过的步",
    "watching {run}": "观看 {run}",
    " (best {best} @ {step})": "（最佳 {best} @ {step}）",
    " ago @ {step}": " 前 @ {step}",
    "s starts the recipe {recipe}; 2 shows its settings": "按 s 开始训练配方 {recipe}；按 2 查看设置",
    "{part}: {rate} exact": "{part}：{rate} 全对",
    "of {minutes:g} minutes": "共 {minutes:g} 分钟",
    # states
    "idle": "空闲",
    "starting": "启动中",
    "pausing": "正在暂停",
    "stopping": "正在停止",
    "evaluating": "评估中",
    "saving": "保存中",
    "verifying": "复查中",
    "done": "完成",
    "failed": "失败",
}
