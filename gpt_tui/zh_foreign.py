"""Chinese for words that come from elsewhere: argparse, the JSON and YAML readers, pydantic, the system.

No test can say whether these are all: what is not here stays English inside a Chinese sentence.
"""

TEXTS = {
    "Dismiss menu": "关闭列表",  # textual
    # argparse
    "usage: ": "用法: ",
    "options": "选项",
    "positional arguments": "位置参数",
    "show this help message and exit": "显示这段帮助并退出",
    "show program's version number and exit": "显示版本号并退出",
    "argument %(argument_name)s: %(message)s": "参数 %(argument_name)s：%(message)s",
    "unrecognized arguments: %s": "无法识别的参数：%s",
    "the following arguments are required: %s": "缺少参数：%s",
    "one of the arguments %s is required": "必须给出参数 %s 之一",
    "not allowed with argument %s": "不能与参数 %s 同时使用",
    "ignored explicit argument %r": "这里不应带值 %r",
    "expected one argument": "需要一个值",
    "expected at most one argument": "最多一个值",
    "expected at least one argument": "至少一个值",
    "expected %s argument": "需要 %s 个值",
    "expected %s arguments": "需要 %s 个值",
    "invalid %(type)s value: %(value)r": "不是有效的 %(type)s 值：%(value)r",
    "invalid choice: %(value)r (choose from %(choices)s)": "没有 %(value)r 这个选择（可选：%(choices)s）",
    # json
    "Expecting value": "此处应有一个值",
    "Expecting property name enclosed in double quotes": "此处应有双引号括起的键",
    "Expecting ',' delimiter": "此处应有“,”",
    "Expecting ':' delimiter": "此处应有“:”",
    "Extra data": "多余的内容",
    "Unterminated string starting at": "字符串没有结束",
    "Invalid control character at": "字符串中有控制字符",
    "Invalid \\escape": "无效的转义",
    "Invalid \\uXXXX escape": "无效的 \\uXXXX 转义",
    "Illegal trailing comma before end of object": "对象末尾多了逗号",
    "Illegal trailing comma before end of array": "数组末尾多了逗号",
    # PyYAML
    "mapping values are not allowed here": "此处不能有“键: 值”",
    "could not find expected ':'": "缺少“:”",
    "found character '\\t' that cannot start any token": "不能用制表符缩进",
    "found unexpected end of stream": "文件意外结束，可能缺少引号",
    "expected ',' or ']', but got '<stream end>'": "此处应有“,”或“]”，而文件已结束",
    "while scanning a simple key": "键的写法有误",
    "special characters are not allowed": "含有不允许的特殊字符",
    # zipfile
    "File is not a zip file": "不是 zip 文件",
    "Truncated file header": "文件不完整",
    "Bad magic number for central directory": "zip 目录已损坏",
    "Bad magic number for file header": "zip 文件头已损坏",
    # pydantic, in lower case as core.config gives them
    "input should be a valid string": "文本",
    "input should be a valid dictionary or instance of probe": "带有 prompt 的一组设置",
    # core.records, made from the names of the keys
    "'role' must be system, user or assistant": "“role”必须是 system、user 或 assistant",
    "'from' must be system, user or assistant": "“from”必须是 system、user 或 assistant",
    "'content' must be text and not empty": "“content”必须是非空文本",
    "'value' must be text and not empty": "“value”必须是非空文本",
    # the system
    "No such file or directory": "没有这个文件或文件夹",
    "Permission denied": "权限不足",
    "Operation not permitted": "操作不被允许",
    "No space left on device": "磁盘空间不足",
    "Address already in use": "地址已被占用",
    "Cannot assign requested address": "本机没有这个地址",
    "Disk quota exceeded": "超出磁盘配额",
    "Read-only file system": "文件系统只读",
    "Not a directory": "不是文件夹",
    "Is a directory": "是文件夹",
    "File exists": "文件已存在",
    "File name too long": "文件名过长",
    "Too many open files": "打开的文件过多",
    "Input/output error": "输入输出错误",
    "embedded null byte": "名称中含有空字节",
}
