"""Chinese for what goes out of the program: serve, web, TensorBoard, tables of numbers."""

TEXTS = {
    # loopback.py
    "the address to listen on (default: 127.0.0.1, this machine alone)": "监听的地址（默认：127.0.0.1，仅限本机）",
    "the port to listen on (default: 8000; 0: any free one)": "监听的端口（默认：8000；0：任一空闲端口）",
    "{command} needs packages that are not installed; to have them: pip install {names}": (
        "{command} 需要的包还没有安装；安装：pip install {names}"
    ),
    "--port {port}: allowed are 0 to 65535": "--port {port}：允许 0 到 65535",
    "--host {host}: no such address": "--host {host}：没有这个地址",
    "port {port} on {host} cannot be used: {reason}; choose another with --port, or --port 0 for a free one": (
        "{host} 的端口 {port} 不能使用：{reason}；请用 --port 换一个，或用 --port 0 任选空闲端口"
    ),
    # commands/serve.py
    "answer chat programs over HTTP, as OpenAI's servers do": "通过 HTTP 为聊天程序作答（OpenAI 接口）",
    "Answer chat programs over HTTP, as OpenAI's servers do.": "通过 HTTP 为聊天程序作答（OpenAI 接口）。",
    "what clients must send as their key (or GPT_TUI_API_KEY, which nobody sees in a list of processes)": (
        "客户端要发送的密钥（GPT_TUI_API_KEY 更隐蔽）"
    ),
    "a web page's origin that may ask from a browser; may be repeated (default: none)": (
        "允许从浏览器提问的网页来源；可重复（默认：无）"
    ),
    "no line about each request": "不为每个请求输出一行",
    "the API key must be at least {least} letters, digits or signs without blanks": (
        "API 密钥至少要有 {least} 个字母、数字或符号，不含空格"
    ),
    "--host {host}: others could reach the model there; set an API key with {variable} or --api-key": (
        "--host {host}：其他人能从那里访问模型；请用 {variable} 或 --api-key 设置 API 密钥"
    ),
    "warning: everyone on the network can reach this port; what is asked and answered, and the key, "
    "travel unencrypted": "警告：网络上的任何人都能访问这个端口；问题、回答和密钥都不加密传输",
    "{run}, step {step}: {url}/v1 (model name: {name}); Ctrl+C ends": (
        "{run}，第 {step} 步：{url}/v1（模型名：{name}）；按 Ctrl+C 结束"
    ),
    # commands/web.py
    "open the app in a browser": "在浏览器中打开界面",
    "Open the app in a browser.": "在浏览器中打开界面。",
    "warning: everyone on the network can reach this port; what is shown and typed travels "
    "unencrypted, and whoever reads the token in the address can use the app as you": (
        "警告：网络上的任何人都能访问这个端口；显示和输入的内容不加密传输，拿到地址中令牌的人可以用你的身份操作"
    ),
    "the app: {address} ; Ctrl+C ends": "界面：{address} ；按 Ctrl+C 结束",
    # web/server.py
    "opening the app": "正在打开界面",
    "The app has been closed; a training goes on.": "界面已关闭；正在进行的训练会继续。",
    "Open it again": "重新打开",
    # event_files.py, schema.py, commands/train.py
    "tensorboard is not installed; to have it: pip install tensorboard; to train without: "
    "--set training.tensorboard=false": (
        "没有安装 tensorboard；安装：pip install tensorboard；不用它训练：--set training.tensorboard=false"
    ),
    "Write event files for TensorBoard too (needs tensorboard).": "另写 TensorBoard 事件文件（需要 tensorboard）",
    "write event files for TensorBoard into the run": "在运行记录中写入 TensorBoard 事件文件",
    # commands/runs.py
    "export: losses, rates and times as a table (CSV)": "export：以表格（CSV）输出损失、速度和时间",
    "where export writes (default: standard output)": "export 写到哪里（默认：标准输出）",
}
