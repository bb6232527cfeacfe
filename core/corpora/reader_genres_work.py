"""Passages of working life: eight genres as text tables, parsed by `reader_schema.parse_genres`.

Rules the tables keep: the people, times, places and channels of a passage never share a role; a question
names the role so exactly that it stays unanswerable when its sentence is left out; variants swap the order
in which two values stand, so that position tells nothing; a duration never stands beside the two times
that would settle it.
"""

from __future__ import annotations

WORK = """\
[meeting 会议纪要]
team       team          开会团队    开会的是{}  开会的是哪个团队  哪个团队召开了会议
date       date          会议日期    本次会议在{}召开  本次会议是哪天召开的  本次会议的日期是哪天
begin      time          开始时间    本次会议{}开始  本次会议几点开始  本次会议的开始时间是几点
room       place:room    会议地点    本次会议在{}召开  本次会议在哪里召开  本次会议的地点是哪里
host       host          主持人      本次会议由{}主持  本次会议由谁主持  本次会议的主持人是谁
scribe     person        记录人      本次会议由{}负责记录  会议由谁负责记录  会议的记录人是谁
length     minutes       会议时长    本次会议历时{}  会议历时多久  会议时长是多少
people     count:人      参会人数    参会的有{}  参会人数是多少  有多少人参会
task       action:todo   会后任务    会后任务是{}  会后任务是什么  会后要完成什么任务
owner      person        任务负责人  会后任务由{}负责  会后任务由谁负责  谁负责会后任务
due        date          任务期限    会后任务要在{}前完成  会后任务要在哪天之前完成  会后任务的期限是哪天
channel    channel:work  材料渠道    会议材料通过{}领取  会议材料通过什么渠道领取  领取会议材料要用什么渠道
video      channel:post  录像渠道    会议录像通过{}发布  会议录像通过什么渠道发布  发布会议录像用的是什么渠道
next_date  date          下次日期    下次会议定于{}  下次会议定于哪天  下次会议在哪天召开
next_time  time          下次时间    下次会议{}开始  下次会议几点开始  下次会议的开始时间是几点
next_host  host          下次主持人  下次会议由{}主持  下次会议由谁主持  下次会议的主持人是谁
ascending: date due next_date
> {date}，{team}在{room}召开例会。
> {team}于{date}{begin}在{room}召开例会。
> {team}的月度例会于{begin}在{room}开始。
> {date}{begin}，{team}召开了月度例会。
- 会议由{host}主持，{scribe}负责记录。
| {scribe}负责记录，会议由{host}主持。
| 主持人是{host}，记录人是{scribe}。
| 会议由{host}主持。
| {scribe}负责会议记录。
- 会议历时{length}，共有{people}参会。
| 参会人数为{people}，会议时长{length}。
| 本次会议历时{length}。
- 会后任务是{task}，由{owner}负责，{due}前完成。
| {owner}负责会后任务，须在{due}前{task}。
| 会后任务要在{due}前完成，内容是{task}，由{owner}负责。
- 会议材料通过{channel}领取，录像通过{video}发布。
| 会议录像通过{video}发布，材料通过{channel}领取。
| 会议材料可通过{channel}领取。
- 下次会议定于{next_date}，由{next_host}主持。
| 下次会议由{next_host}主持，定于{next_date}召开。
| 下次会议定于{next_date}{next_time}召开。

[incident 故障复盘]
team     team          复盘团队      组织复盘的是{}  哪个团队组织了复盘  组织复盘的是哪个团队
metric   metric        异常指标      出现波动的指标是{}  出现波动的是哪个指标  哪个指标出现了波动
date     date          复盘日期      复盘在{}进行  复盘是哪天进行的  复盘的日期是哪天
host     host          主持人        会议由{}主持  会议由谁主持  主持会议的是谁
scribe   person        记录人        会议由{}负责记录  会议由谁负责记录  会议的记录人是谁
length   minutes       会议时长      会议时长约{}  会议时长是多少  会议开了多久
begin    time          故障开始时间  故障从{}开始  故障几点开始  故障是从几点开始的
end      time          恢复时间      服务在{}恢复  服务几点恢复  服务是几点恢复正常的
action   action:tech   短期措施      短期措施是{}  短期措施是什么  采取的短期措施是什么
later    action:tech   长期措施      长期措施是{}  长期措施是什么  计划的长期措施是什么
owner    person        措施负责人    短期措施由{}负责落实  短期措施由谁负责落实  谁负责落实短期措施
channel  channel:work  协助渠道      需要协助时应通过{}联系  如果需要协助，应通过什么渠道联系  求助用什么渠道
contact  person        联系人        如果需要协助，应联系{}  如果需要协助，应联系谁  求助应找谁
due      date          报告日期      复盘报告在{}前发布  复盘报告要在哪天之前发布  发布复盘报告的期限是哪天
report   channel:post  报告渠道      复盘报告通过{}发布  复盘报告通过什么渠道发布  发布复盘报告用的是什么渠道
ascending: begin end
ascending: date due
> {date}，{team}对线上{metric}波动进行了复盘。
> {team}于{date}复盘了{metric}的异常波动。
> 针对{metric}波动，{team}组织了复盘。
> {metric}出现波动后，{team}在{date}组织了复盘。
- 会议由{host}主持，{scribe}负责记录，时长约{length}。
| {scribe}负责记录，会议由{host}主持，时长约{length}。
| 会议由{host}主持，时长约{length}。
| 会议由{scribe}负责记录，主持人是{host}。
- 故障从{begin}开始，{end}恢复正常。
| 服务于{end}恢复，故障是{begin}开始的。
- 直接原因并非代码逻辑错误，而是依赖服务偶发超时。
| 原因是依赖服务偶发超时，导致连锁反应。
| 本次波动的直接原因并非代码逻辑错误，而是依赖服务偶发超时导致连锁反应。
- 短期措施是{action}，长期措施是{later}。
| 长期措施是{later}，短期措施是{action}。
| 为避免再次发生，短期措施是{action}，由{owner}负责落实。
| {owner}负责落实短期措施，即{action}，并补充监控与告警。
| 为避免再次发生，短期措施是{action}，并在关键链路补充监控与告警。
- 如需协助，请通过{channel}联系{contact}。
| 需要协助时请联系{contact}，渠道是{channel}。
- 复盘报告通过{report}发布。
| 复盘报告将在{due}前通过{report}发布。
| 复盘报告通过{report}发布，期限是{due}。
| 本周内完成改动并灰度验证，复盘报告通过{report}发布。
| 行动项包括：本周内完成改动并灰度验证；同时更新应急预案。

[release 产品更新]
product  product         产品          发布更新的产品是{}  哪个产品发布了更新  发布更新的是哪个产品
version  version         新版本        新版本号是{}  新版本号是多少  这次发布的是哪个版本
date     date            发布日期      新版于{}发布  新版是哪天发布的  新版的发布日期是哪天
feature  feature         新增功能      新版新增了{}功能  新版新增了什么功能  新版增加的是什么功能
owner    person          开发负责人    新版由{}负责开发  新版由谁负责开发  谁负责开发新版
tester   person          测试负责人    新版由{}负责测试  新版由谁负责测试  谁负责测试新版
begin    time            升级开始时间  升级从{}开始  升级几点开始  升级从几点开始
length   minutes         升级时长      升级需要{}  升级需要多久  升级时长是多少
old      version         旧版本        停止维护的旧版是{}  停止维护的是哪个旧版  哪个旧版停止维护
stop     date            停止维护日期  旧版从{}起停止维护  旧版从哪天起停止维护  旧版停止维护的日期是哪天
bug      channel:public  反馈渠道      使用问题通过{}反馈  使用问题通过什么渠道反馈  反馈使用问题用什么渠道
guide    channel:post    教程渠道      使用教程通过{}发布  使用教程通过什么渠道发布  发布使用教程用什么渠道
price    sum             会员年费      会员年费是{}  会员年费是多少  会员一年要付多少钱
plus     feature         下一版功能    下一版计划加入{}功能  下一版计划加入什么功能  下一版会有什么新功能
ascending: date stop
ascending: old version
> {date}，{product}发布{version}版，新增{feature}功能。
> {product}{version}版于{date}发布，由{owner}负责开发。
> {product}发布新版{version}，新增{feature}功能。
> {product}新版于{date}发布，新增了{feature}功能。
- 新版由{owner}负责开发，{tester}负责测试。
| {tester}负责测试，{owner}负责开发。
| 新版由{tester}负责测试。
- 升级从{begin}开始，需要{length}。
| 升级需要{length}，从{begin}开始。
| 升级将于{begin}开始，期间暂停服务。
- 旧版{old}从{stop}起停止维护。
| 从{stop}起，旧版{old}停止维护。
- 使用问题请通过{bug}反馈，教程通过{guide}发布。
| 使用教程通过{guide}发布，问题请通过{bug}反馈。
| 使用问题请通过{bug}反馈。
- 会员年费为{price}。
| 新版会员年费调整为{price}。
- 下一版计划加入{plus}功能。
| {plus}功能计划在下一版加入。

[experiment 实验记录]
operator  person       操作人        实验由{}操作  实验由谁操作  操作实验的是谁
scribe    person       记录人        实验由{}负责记录  实验由谁负责记录  实验的记录人是谁
checker   person       复核人        实验数据由{}复核  实验数据由谁复核  谁负责复核实验数据
date      date         实验日期      实验在{}进行  实验是哪天进行的  实验的日期是哪天
lab       place:lab    实验地点      实验在{}进行  实验在哪里进行  实验的地点是哪里
sample    code         样品编号      实验样品的编号是{}  实验样品的编号是什么  样品编号是多少
mass      count:克     样品质量      样品质量为{}  样品质量是多少  样品有多重
heat      many:度      加热温度      加热温度为{}  加热温度是多少  样品加热到多少度
begin     time         加热开始时间  加热从{}开始  加热从几点开始  几点开始加热
length    minutes      加热时长      加热时长为{}  加热了多久  加热时长是多少
action    action:lab   改进措施      改进措施是{}  改进措施是什么  针对误差采取什么改进措施
plan      action:lab   下一步        下一步是{}  下一步是什么  实验的下一步要做什么
due       date         报告期限      实验报告要在{}前提交  实验报告要在哪天之前提交  提交实验报告的期限是哪天
store     place:store  存放地点      剩余样品存放在{}  剩余样品存放在哪里  剩余样品放在什么地方
ascending: date due
> {date}，{operator}在{lab}对样品{sample}做加热实验。
> {operator}于{date}在{lab}操作实验，{scribe}负责记录。
> 样品{sample}的实验在{lab}进行，由{operator}操作。
> {date}的实验由{operator}操作，样品编号为{sample}。
- 样品质量为{mass}，加热温度为{heat}。
| 加热温度为{heat}，样品质量为{mass}。
| 样品加热到{heat}。
- 加热从{begin}开始，持续{length}。
| 加热持续{length}，从{begin}开始。
| 加热时长为{length}。
- 改进措施是{action}，下一步是{plan}。
| 下一步是{plan}，改进措施是{action}。
| 结果误差偏大，改进措施是{action}。
| 结果符合预期，下一步是{plan}。
- 数据由{checker}复核，报告须在{due}前提交。
| 报告须在{due}前提交，数据由{checker}复核。
- {scribe}负责记录。
| 记录由{scribe}负责，数据由{checker}复核。
- 剩余样品存放在{store}。
| 实验后，剩余样品送到{store}存放。

[interview 招聘面试]
org      org           招聘单位    招聘单位是{}  招聘单位是哪家  哪家单位在招聘
job      job           招聘岗位    招聘的岗位是{}  招聘的是什么岗位  面试的是哪个岗位
date     date          面试日期    面试在{}进行  面试在哪天进行  面试日期是哪天
begin    time          面试时间    面试{}开始  面试几点开始  面试的开始时间是几点
room     place:room    面试地点    面试在{}进行  面试在哪里进行  面试地点是哪里
sign     time          签到时间    应聘者应在{}前签到  应聘者应在几点前签到  签到最晚到几点
wait     place:lounge  签到地点    应聘者在{}签到  应聘者在哪里签到  签到地点是哪里
host     host          主持人      面试由{}主持  面试由谁主持  主持面试的是谁
scribe   person        记录人      面试由{}负责记录  面试由谁负责记录  面试的记录人是谁
length   minutes       面试时长    面试时长为{}  面试时长是多少  面试要多久
pay      money         月薪        该岗位月薪为{}  该岗位月薪是多少  这个岗位每月多少钱
seats    count:人      招聘人数    计划招聘{}  计划招聘多少人  招聘人数是多少
result   date          公布日期    结果在{}公布  结果在哪天公布  面试结果的公布日期是哪天
channel  channel:post  公布渠道    结果通过{}公布  结果通过什么渠道公布  公布面试结果用什么渠道
send     channel:work  简历渠道    简历通过{}提交  简历通过什么渠道提交  提交简历用什么渠道
contact  person        改期联系人  如需改期应联系{}  如需改期应联系谁  想改面试时间找谁
ascending: date result
ascending: sign begin
> {org}将于{date}{begin}在{room}面试{job}。
> {org}招聘{job}，面试在{room}进行，由{host}主持。
> {date}{begin}，{org}举行{job}岗位面试。
> {org}的{job}岗位面试定于{date}在{room}进行。
- 面试由{host}主持，{scribe}负责记录。
| {scribe}负责记录，面试由{host}主持。
| 面试的记录由{scribe}负责。
- 应聘者请先到{wait}签到，面试时长为{length}。
| 面试时长为{length}，签到地点是{wait}。
| 请在{sign}前到{wait}签到。
| 签到地点是{wait}，请在{sign}前签到。
- 该岗位月薪{pay}，计划招聘{seats}。
| 计划招聘{seats}，月薪为{pay}。
- 结果将于{result}通过{channel}公布。
| 面试结果通过{channel}公布，时间是{result}。
- 简历请通过{send}提交。
| 简历通过{send}提交，如需改期请联系{contact}。
- 如需改期，请联系{contact}。
| 需要改期的应聘者请联系{contact}。

[repair 设备维修]
device    device         故障设备  出故障的设备是{}  出故障的是什么设备  哪台设备出了故障
reporter  person         报修人    报修的是{}  是谁报修的  报修人是谁
worker    person         维修人    设备由{}维修  设备由谁维修  负责维修的是谁
checker   person         验收人    维修后由{}验收  维修后由谁验收  验收人是谁
date      date           报修日期  设备在{}报修  设备是哪天报修的  报修日期是哪天
begin     time           到场时间  维修人员{}到场  维修人员几点到场  维修的到场时间是几点
end       time           恢复时间  设备{}恢复运行  设备几点恢复运行  设备恢复运行的时间是几点
length    minutes        维修时长  维修用时{}  维修用了多久  维修时长是多少
action    action:repair  处理措施  这次的处理措施是{}  这次的处理措施是什么  维修时采取了什么处理措施
later     action:repair  保养内容  下次保养要{}  下次保养要做什么  下次保养的内容是什么
next      date           保养日期  下次保养定于{}  下次保养定于哪天  下次保养是哪天
cost      sum            维修费用  维修费用为{}  维修费用是多少  这次维修花了多少钱
store     place:store    备件地点  备件存放在{}  备件存放在哪里  备件放在什么地方
channel   channel:work   报修渠道  再次报修应通过{}  再次报修应通过什么渠道  再次报修用什么渠道
ascending: date next
ascending: begin end
> {date}，{device}出现故障，由{reporter}报修。
> {reporter}于{date}报修{device}，{worker}负责维修。
> {device}发生故障，{worker}到场维修。
> {device}于{date}报修，维修人是{worker}。
- 维修人员{begin}到场，设备{end}恢复运行。
| 设备{end}恢复运行，维修人员是{begin}到场的。
| 维修人员{begin}到场，维修用时{length}。
- 处理措施是{action}。
| 经检查，处理措施是{action}。
- 下次保养定于{next}，内容是{later}。
| 下次保养要{later}，定于{next}进行。
- 维修费用为{cost}，由{checker}验收。
| {checker}负责验收，维修费用{cost}。
| 维修费用为{cost}。
- 报修人是{reporter}，验收人是{checker}。
| 验收人是{checker}，报修人是{reporter}。
- 备件存放在{store}。
| 更换用的备件存放在{store}。
- 再次报修请通过{channel}。
| 如有问题，请通过{channel}再次报修。

[order 订单物流]
code     code            订单号        订单号是{}  订单号是多少  这笔订单的编号是什么
goods    goods           商品          订购的商品是{}  订购的商品是什么  买的是什么商品
buyer    person          收件人        收件人是{}  收件人是谁  包裹是寄给谁的
courier  person          快递员        包裹由{}派送  包裹由谁派送  派送包裹的是谁
service  person          售后联系人    售后应联系{}  售后应联系谁  售后的联系人是谁
depot    place:depot     发货地点      包裹从{}发出  包裹从哪里发出  发货地点是哪里
stop     place:stop      取件地点      取件地点是{}  取件地点是哪里  应到哪里取件
date     date            发货日期      包裹在{}发出  包裹是哪天发出的  发货日期是哪天
arrive   date            送达日期      包裹预计{}送达  包裹预计哪天送达  预计的送达日期是哪天
until    time            取件截止时间  应在{}前取件  应在几点前取件  取件最晚到几点
number   count:件        件数          订单共有{}  订单共有多少件  这笔订单的件数是多少
fee      fee             运费          运费是{}  运费是多少  运费花了多少钱
paid     sum             实付金额      订单实付{}  订单实付多少钱  这笔订单实付金额是多少
channel  channel:public  售后渠道      售后通过{}办理  售后通过什么渠道办理  办理售后用什么渠道
track    channel:public  查询渠道      物流通过{}查询  物流通过什么渠道查询  查询物流用什么渠道
ascending: date arrive
ascending: fee paid
> 订单{code}的{goods}已于{date}从{depot}发出。
> {date}，{buyer}订购的{goods}从{depot}发出。
> {buyer}订购的{goods}已经发货，订单号为{code}。
> 订单{code}已从{depot}发货，商品是{goods}，收件人是{buyer}。
- 包裹预计{arrive}送达，由{courier}派送。
| {courier}负责派送，预计{arrive}送达。
- 请在{until}前到{stop}取件。
| 取件地点是{stop}，请在{until}前领取。
- 订单共{number}，实付{paid}，其中运费{fee}。
| 运费为{fee}，订单实付{paid}。
| 订单共{number}，实付{paid}。
- 售后通过{channel}办理，物流通过{track}查询。
| 物流通过{track}查询，售后通过{channel}办理。
| 售后请联系{service}，渠道是{channel}。
| 物流可通过{track}查询。
- 售后联系人是{service}。
| 如需售后，请联系{service}。

[notice 通知公告]
home     place:home      停水地点      停水的地点是{}  停水的是哪里  哪里要停水
date     date            停水日期      停水日期是{}  停水日期是哪天  哪天停水
begin    time            停水开始时间  停水从{}开始  停水从几点开始  几点开始停水
end      time            供水恢复时间  供水{}恢复  供水几点恢复  恢复供水的时间是几点
water    place:venue     取水点        临时取水点设在{}  临时取水点设在哪里  居民可以到哪里临时取水
owner    person          施工负责人    施工由{}负责  施工由谁负责  施工负责人是谁
contact  person          物业联系人    物业联系人是{}  物业联系人是谁  物业方面应联系谁
action   action:home     停水前措施    停水前住户应{}  停水前要做什么  停水前住户应采取什么措施
after    action:home     供水后措施    恢复供水后住户应{}  恢复供水后要做什么  恢复供水后应采取什么措施
homes    many:户         影响户数      停水影响{}  停水影响多少户  受影响的有多少户
days     days            工期          管道改造工期为{}  管道改造工期是多久  管道改造要多少天
done     date            完工日期      管道改造{}完工  管道改造哪天完工  管道改造的完工日期是哪天
ask      channel:public  咨询渠道      咨询通过{}进行  咨询通过什么渠道进行  想咨询应通过什么渠道
news     channel:post    进度渠道      施工进度通过{}公布  施工进度通过什么渠道公布  公布施工进度用什么渠道
ascending: begin end
ascending: date done
> 因管道改造，{home}将于{date}{begin}起停水。
> {home}定于{date}停水，{begin}开始，{end}恢复供水。
> 接物业通知，{home}将因管道改造在{date}停水。
> 因管道改造，{home}停水，供水将于{end}恢复。
- 施工由{owner}负责，物业联系人是{contact}。
| 物业联系人是{contact}，{owner}负责施工。
| 施工负责人是{owner}。
- 临时取水点设在{water}。
| 停水期间，居民可到{water}临时取水。
- 停水前请{action}，恢复供水后请{after}。
| 恢复供水后请{after}，停水前请{action}。
| 请住户在停水前{action}。
- 停水影响{homes}，管道改造工期为{days}。
| 管道改造工期{days}，停水影响{homes}。
| 此次停水影响{homes}。
| 管道改造将于{done}完工，停水影响{homes}。
| 管道改造的完工日期是{done}。
- 咨询请通过{ask}，施工进度通过{news}公布。
| 施工进度通过{news}公布，咨询请通过{ask}。
| 有疑问可通过{ask}咨询。
"""
