"""Passages of work, school and leisure: eight genres as text tables, parsed by `reader_schema.parse_genres`.

Rules the tables keep: the people, times, places and channels of a passage never share a role; a question
names the role so exactly that it stays unanswerable when its sentence is left out; variants swap the order
in which two values stand, so that position tells nothing; a duration never stands beside the two times
that would settle it; a role mostly stands before its value (主持人是…). The other way round (…负责记录, as the seed has
it) finding a value takes one hop more than four layers learn in minutes, so that this is one wording of several.
"""

from __future__ import annotations

GENRE_TABLES = """\
[meeting 会议纪要]
team       team          开会团队    开会的是哪个团队  哪个团队召开了会议
date       date          会议日期    本次会议是哪天召开的  本次会议的日期是哪天
begin      time          开始时间    本次会议几点开始  本次会议的开始时间是几点
room       place:room    会议地点    本次会议在哪里召开  本次会议的地点是哪里
host       host          主持人      本次会议由谁主持  本次会议的主持人是谁
scribe     person        记录人      会议由谁负责记录  会议的记录人是谁
length     minutes       会议时长    会议历时多久  会议时长是多少
people     count:人      参会人数    参会人数是多少  有多少人参会
task       action:todo   会后任务    会后任务是什么  会后要完成什么任务
due        date          任务期限    会后任务要在哪天之前完成  会后任务的期限是哪天
channel    channel:work  材料渠道    会议材料通过什么渠道领取  领取会议材料要用什么渠道
ascending: date due
> {date}，{team}在{room}召开例会。
> {team}于{date}{begin}在{room}召开例会。
> {team}的月度例会于{begin}在{room}开始。
> {date}{begin}，{team}召开了月度例会。
- 会议由{host}主持，{scribe}负责记录。
| 主持人是{host}，记录人是{scribe}。
| 记录人是{scribe}，主持人是{host}。
| 会议主持人是{host}。
| 会议记录由{scribe}负责。
- 会议历时{length}，共有{people}参会。
| 参会人数为{people}，会议时长{length}。
| 本次会议历时{length}。
- 会后任务是{task}，{due}前完成。
| 会后任务要在{due}前完成，内容是{task}。
| 会后任务是{task}。
- 会议材料通过{channel}领取。
| 会议材料可通过{channel}领取。

[incident 故障复盘]
team     team          复盘团队      哪个团队组织了复盘  组织复盘的是哪个团队
metric   metric        异常指标      出现波动的是哪个指标  哪个指标出现了波动
date     date          复盘日期      复盘是哪天进行的  复盘的日期是哪天
host     host          主持人        会议由谁主持  主持会议的是谁
scribe   person        记录人        会议由谁负责记录  会议的记录人是谁
length   minutes       会议时长      会议时长是多少  会议开了多久
begin    time          故障开始时间  故障几点开始  故障是从几点开始的
end      time          恢复时间      服务几点恢复  服务是几点恢复正常的
action   action:tech   短期措施      短期措施是什么  采取的短期措施是什么
channel  channel:work  协助渠道      如果需要协助，应通过什么渠道联系  求助用什么渠道
contact  person        联系人        如果需要协助，应联系谁  求助应找谁
ascending: begin end
> {date}，{team}对线上{metric}波动进行了复盘。
> {team}于{date}复盘了{metric}的异常波动。
> 针对{metric}波动，{team}组织了复盘。
> {metric}出现波动后，{team}在{date}组织了复盘。
- 会议由{host}主持，{scribe}负责记录，时长约{length}。
| 主持人是{host}，记录人是{scribe}，时长约{length}。
| 记录人是{scribe}，主持人是{host}，时长约{length}。
| 会议主持人是{host}，时长约{length}。
| 会议记录由{scribe}负责，主持人是{host}。
- 故障从{begin}开始，{end}恢复正常。
| 服务于{end}恢复，故障是{begin}开始的。
- 直接原因并非代码逻辑错误，而是依赖服务偶发超时。
| 原因是依赖服务偶发超时，导致连锁反应。
| 本次波动的直接原因并非代码逻辑错误，而是依赖服务偶发超时导致连锁反应。
- 为避免再次发生，短期措施是{action}，并在关键链路补充监控与告警。
| 短期措施是{action}，并补充监控与告警。
- 如需协助，请通过{channel}联系{contact}。
| 需要协助时请联系{contact}，渠道是{channel}。
- 行动项包括：本周内完成改动并灰度验证；同时更新应急预案。

[notice 通知公告]
home     place:home      停水地点      停水的是哪里  哪里要停水
date     date            停水日期      停水日期是哪天  哪天停水
begin    time            停水开始时间  停水从几点开始  几点开始停水
end      time            供水恢复时间  供水几点恢复  恢复供水的时间是几点
water    place:venue     取水点        临时取水点设在哪里  居民可以到哪里临时取水
owner    person          施工负责人    施工由谁负责  施工负责人是谁
action   action:home     停水前措施    停水前要做什么  停水前住户应采取什么措施
homes    many:户         影响户数      停水影响多少户  受影响的有多少户
days     days            工期          管道改造工期是多久  管道改造要多少天
ask      channel:public  咨询渠道      咨询通过什么渠道进行  想咨询应通过什么渠道
ascending: begin end
> 因管道改造，{home}将于{date}{begin}起停水。
> {home}定于{date}停水，{begin}开始，{end}恢复供水。
> 接物业通知，{home}将因管道改造在{date}停水。
> 因管道改造，{home}停水，供水将于{end}恢复。
- 施工负责人是{owner}。
| 施工由{owner}负责。
- 临时取水点设在{water}。
| 停水期间，居民可到{water}临时取水。
- 请住户在停水前{action}。
| 停水前请{action}。
- 停水影响{homes}，管道改造工期为{days}。
| 管道改造工期{days}，停水影响{homes}。
| 此次停水影响{homes}。
- 咨询请通过{ask}。
| 有疑问可通过{ask}咨询。

[release 产品更新]
product  product         产品          哪个产品发布了更新  发布更新的是哪个产品
version  version         新版本        新版本号是多少  这次发布的是哪个版本
date     date            发布日期      新版是哪天发布的  新版的发布日期是哪天
feature  feature         新增功能      新版新增了什么功能  新版增加的是什么功能
owner    person          开发负责人    新版由谁负责开发  谁负责开发新版
tester   person          测试负责人    新版由谁负责测试  谁负责测试新版
begin    time            升级开始时间  升级几点开始  升级从几点开始
length   minutes         升级时长      升级需要多久  升级时长是多少
bug      channel:public  反馈渠道      使用问题通过什么渠道反馈  反馈使用问题用什么渠道
price    sum             会员年费      会员年费是多少  会员一年要付多少钱
> {date}，{product}发布{version}版，新增{feature}功能。
> {product}{version}版于{date}发布，开发由{owner}负责。
> {product}发布新版{version}，新增{feature}功能。
> {product}新版于{date}发布，新增了{feature}功能。
- 开发由{owner}负责，测试由{tester}负责。
| 测试由{tester}负责，开发由{owner}负责。
| 测试由{tester}负责。
- 升级从{begin}开始，需要{length}。
| 升级需要{length}，从{begin}开始。
| 升级将于{begin}开始，期间暂停服务。
- 使用问题请通过{bug}反馈。
| 反馈使用问题请通过{bug}。
- 会员年费为{price}。
| 新版会员年费调整为{price}。

[order 订单物流]
code     code            订单号        订单号是多少  这笔订单的编号是什么
goods    goods           商品          订购的商品是什么  买的是什么商品
buyer    person          收件人        收件人是谁  包裹是寄给谁的
courier  person          快递员        包裹由谁派送  派送包裹的是谁
depot    place:depot     发货地点      包裹从哪里发出  发货地点是哪里
stop     place:stop      取件地点      取件地点是哪里  应到哪里取件
date     date            发货日期      包裹是哪天发出的  发货日期是哪天
arrive   date            送达日期      包裹预计哪天送达  预计的送达日期是哪天
until    time            取件截止时间  应在几点前取件  取件最晚到几点
paid     sum             实付金额      订单实付多少钱  这笔订单实付金额是多少
channel  channel:public  售后渠道      售后通过什么渠道办理  办理售后用什么渠道
ascending: date arrive
> 订单{code}的{goods}已于{date}从{depot}发出。
> {date}，收件人{buyer}的{goods}从{depot}发出。
> 收件人{buyer}订购的{goods}已经发货，订单号为{code}。
> 订单{code}已从{depot}发货，商品是{goods}，收件人是{buyer}。
- 包裹预计{arrive}送达，派送由{courier}负责。
| 派送由{courier}负责，预计{arrive}送达。
- 请在{until}前到{stop}取件。
| 取件地点是{stop}，请在{until}前领取。
- 订单实付{paid}。
| 本单实付金额为{paid}。
- 售后请通过{channel}办理。
| 办理售后请通过{channel}。

[course 课程安排]
course     course          课程          开设的是什么课程  这期开的是什么课
teacher    person          主讲人        课程由谁主讲  课程的主讲人是谁
helper     person          助教          课程助教是谁  谁担任课程助教
date       date            开课日期      课程哪天开课  开课日期是哪天
due        date            报名截止日期  报名哪天截止  报名截止日期是哪天
begin      time            上课时间      每次几点上课  上课时间是几点
length     minutes         每课时长      每次课时长是多少  每次课上多久
room       place:room      上课地点      上课地点是哪里  在哪里上课
seats      count:人        限招人数      本班限招多少人  限招人数是多少
fee        sum             学费          学费是多少  学费要交多少钱
join       channel:public  报名渠道      报名通过什么渠道进行  报名用什么渠道
ascending: due date
> {course}将于{date}在{room}开课，主讲人是{teacher}。
> {course}定于{date}开课，主讲人是{teacher}。
> {course}的主讲人是{teacher}，助教是{helper}。
> {course}在{room}上课，每次{begin}开始。
- 每次{begin}上课，时长为{length}。
| 每次课时长{length}，{begin}开始上课。
| 每次课时长为{length}。
- 本班限招{seats}，学费为{fee}。
| 学费{fee}，本班限招{seats}。
| 学费为{fee}。
- 报名通过{join}进行，{due}截止。
| 报名{due}截止，请通过{join}报名。
- 课程助教是{helper}。
| 助教由{helper}担任。

[trip 旅行通知]
dest     place:sight     目的地    旅行的目的地是哪里  旅行团要去哪里
gate     place:gate      集合地点  集合地点是哪里  在哪里集合
hotel    place:hotel     住宿地点  当晚住在哪里  住宿地点是哪里
leader   person          领队      领队是谁  谁是旅行团的领队
guide    person          导游      当地导游是谁  谁是当地导游
date     date            出发日期  旅行团哪天出发  出发日期是哪天
back     date            返程日期  旅行团哪天返程  返程日期是哪天
meet     time            集合时间  集合时间是几点  几点集合
ride     minutes         车程      单程车程是多久  单程坐车要多久
people   count:人        全团人数  全团共多少人  旅行团有多少人
cost     money           费用      每人费用是多少  每人要交多少钱
channel  channel:public  请假渠道  请假通过什么渠道办理  办理请假用什么渠道
ascending: date back
> {date}出发去{dest}的旅行团，领队是{leader}。
> 去{dest}的旅行团定于{date}{meet}集合，集合地点是{gate}。
> 去{dest}的旅行团{date}出发，领队由{leader}担任。
> {dest}旅行团的集合地点是{gate}，集合时间是{meet}。
- 当晚住在{hotel}。
| 住宿地点是{hotel}。
- 当地导游是{guide}。
| 当地导游由{guide}担任。
- 全团共{people}，每人费用{cost}。
| 每人费用为{cost}，全团共{people}。
- 旅行团{back}返程。
| 返程日期为{back}，单程车程{ride}。
- 请假请通过{channel}办理。
| 临时请假的，请通过{channel}办理。

[club 社团活动]
club       club            社团      举办活动的是哪个社团  哪个社团举办活动
book       book            本期书目  本期共读哪本书  本期读的是什么书
host       host            主持人    活动由谁主持  活动的主持人是谁
guest      person          分享嘉宾  分享嘉宾是谁  谁是分享嘉宾
date       date            活动日期  活动在哪天举办  活动日期是哪天
begin      time            开始时间  活动几点开始  活动的开始时间是几点
end        time            结束时间  活动几点结束  活动的结束时间是几点
place      place:venue     活动地点  活动在哪里举办  活动地点是哪里
seats      count:人        名额      活动名额是多少  活动最多多少人参加
join       channel:public  报名渠道  报名通过什么渠道进行  报名用什么渠道
ascending: begin end
> {club}将于{date}在{place}举办活动，主持人是{host}。
> {date}{begin}，{club}在{place}举办活动。
> {club}的本期活动主持人是{host}，分享嘉宾是{guest}。
> {club}在{place}举办活动，{begin}开始，{end}结束。
- 本期共读{book}。
| 本期共读的书是{book}。
- 活动{begin}开始，{end}结束。
| 活动{end}结束。
- 活动名额为{seats}。
| 活动名额共{seats}。
- 分享嘉宾是{guest}。
| 本期分享嘉宾是{guest}。
- 请通过{join}报名。
| 报名请通过{join}。
"""
