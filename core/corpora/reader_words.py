"""The words from which the values of the reading-comprehension corpus are built.

Values are combinations (surname + given name, stem + suffix, word + word), so there are far more of them
than a small network can memorise: what pays is to copy. The number of distinct *characters* is kept low
on purpose, because a byte-level tokenizer spends about two merges on each of them.
"""

from __future__ import annotations

SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱郭何罗宋郑谢韩唐冯董萧曹袁邓许傅沈彭吕苏卢"
    "蒋蔡贾丁魏薛叶余潘杜戴钟汪姜范姚谭廖邹熊陆郝孔崔毛邱秦顾侯邵孟段钱汤尹黎乔贺龚"
)

GIVEN = (
    "明华伟强敏静丽军磊洋勇杰娟涛超霞刚桂英玉萍红兰芳燕玲飞凯浩宇轩然博思雨欣怡佳嘉俊晨阳涵诗梦琪雪婷倩颖"
    "洁琳瑶莹蕾薇慧岚峰鹏辉斌健亮志庆春秋海江河山林松柏竹梅荷莲云风星月晓清淑珍琴宁康舒雅若芸珊桐楠栋哲"
    "睿翔腾远航帆毅诚德贤良善昊凡雷"
)

# Two different characters of these make a place, a firm, a product, a team: 云栖楼, 松江公司.
STEM = "云松青禾明江河湖山林海风晨星月雪竹梅兰荷柳枫桂桐溪泉岭峰谷岸洲晓晴霞虹清翠碧丹银玉瑞祥宁康永华思远博雅悦朗辉"

# Endings put after a stem, by the pool that uses them. None is the beginning of another in its pool.
SUFFIXES: dict[str, str] = {
    "place:room": "会议室 报告厅 培训室 多功能厅 教室",
    "place:venue": "广场 公园 礼堂 剧院 展厅 活动中心",
    "place:sight": "古镇 古城 景区 瀑布 果园",
    "place:hotel": "宾馆 酒店 客栈 民宿",
    "place:depot": "仓库 物流园 分拣中心",
    "place:stop": "驿站 快递点 便利店 服务站",
    "place:home": "小区 公寓 家园 花园",
    "place:gate": "车站 码头 停车场 路口",
    "club": "读书会 书友会 文学社 写作社",
    "product": "笔记 日历 地图 浏览器 输入法 相册 词典 网盘",
}
BOOK_ENDINGS = "之旅 往事 手记 故事 的夜晚 小札"

# First words, second words, endings (none: the pair itself). Every pair reads well, and the pair is what is
# held out.
PAIRS: dict[str, tuple[str, str, str]] = {
    "team": (
        "海外 会员 商家 移动 内容 企业 直播 智能 数据 安全 用户 本地",
        "搜索 支付 推荐 运营 风控 客服 平台 测试 设计 研发 采购 物流",
        "团队 小组 部",
    ),
    "metric": (
        "登录 下单 搜索 支付 上传 推送 播放 查询 结算 注册 同步 下载",
        "延迟 成功率 错误率 吞吐量 超时率 响应时间 失败率 并发量",
        "",
    ),
    "feature": (
        "离线 语音 夜间 批量 自动 多人 智能 快捷",
        "翻译 搜索 备份 导出 标注 剪辑 排版 同步 朗读 识别 校对 归档",
        "",
    ),
    "course": (
        "基础 进阶 实用 趣味 暑期 少儿 职场 入门 高级 公益",
        "摄影 书法 编程 统计 写作 烘焙 绘画 舞蹈 吉他 英语 急救 围棋",
        "课",
    ),
    "goods": (
        "便携 折叠 儿童 加大 轻便 复古 彩色 定制 简约 蓝色 白色 新款",
        "书架 水壶 雨衣 背包 台灯 餐桌 毛毯 帐篷 鞋柜 茶具 电扇 画架",
        "",
    ),
    "channel:work": (
        "部门 项目 研发 运营 值班 行政 平台 测试 产品 运维 总部 内部",
        "邮箱 微信群 热线 论坛 服务台 留言板 钉钉群 飞书群 电话 频道 工单 网站",
        "",
    ),
    "channel:public": (
        "官方 客服 会员 活动 预约 咨询 便民 专用 中心 综合 本地 城市",
        "邮箱 微信群 热线 论坛 公众号 小程序 服务台 留言板 钉钉群 电话 网站 短信",
        "",
    ),
    "action:todo": (
        "整理 更新 提交 复核 翻译 打印 汇总 归档",
        "用户反馈 测试报告 预算表 合同草案 采访提纲 培训材料 需求清单 报价方案 操作手册",
        "",
    ),
    "action:tech": (
        "重启 扩容 升级 替换 检查 迁移 隔离 备份",
        "缓存集群 消息队列 接口网关 主数据库 搜索节点 登录服务 日志系统 支付模块 存储节点",
        "",
    ),
    "action:home": (
        "检查 清理 固定 遮盖 擦净 包好",
        "进水阀门 厨房水管 空调外机 室外花盆 热水管道 浴室地漏 电器插头 阳台水池",
        "",
    ),
}

# Everyday values of one piece (among them the seed's own). They belong to training only: there is no
# second word to recombine, so nothing of the kind can be held out.
PLAIN: dict[str, str] = {
    "channel:work": "邮件 企业微信 电话 钉钉 飞书 短信 工单系统 即时消息",
    "channel:public": "邮件 微信 电话 短信 公众号 小程序 官网 服务热线",
    "action:tech": "做回滚开关 加缓存 做降级 加限流 关闭新功能 调大超时时间 切换备用机房",
}
PLAIN_SHARE = 0.2
