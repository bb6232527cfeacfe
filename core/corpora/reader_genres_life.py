"""Passages of school, travel and leisure: eight genres (format and rules as in `reader_genres_work`)."""

from __future__ import annotations

LIFE = """\
[course 课程安排]
course     course          课程          开设的课程是{}  开设的是什么课程  这期开的是什么课
teacher    person          主讲人        课程由{}主讲  课程由谁主讲  课程的主讲人是谁
helper     person          助教          课程助教是{}  课程助教是谁  谁担任课程助教
date       date            开课日期      课程在{}开课  课程哪天开课  开课日期是哪天
due        date            报名截止日期  报名{}截止  报名哪天截止  报名截止日期是哪天
begin      time            上课时间      每次{}上课  每次几点上课  上课时间是几点
quiz       time            答疑时间      答疑{}开始  答疑几点开始  答疑从几点开始
length     minutes         每课时长      每次课时长为{}  每次课时长是多少  每次课上多久
room       place:room      上课地点      上课地点是{}  上课地点是哪里  在哪里上课
help_room  place:lounge    答疑地点      答疑地点是{}  答疑地点是哪里  在哪里答疑
seats      count:人        限招人数      本班限招{}  本班限招多少人  限招人数是多少
fee        sum             学费          学费为{}  学费是多少  学费要交多少钱
join       channel:public  报名渠道      报名通过{}进行  报名通过什么渠道进行  报名用什么渠道
files      channel:post    讲义渠道      讲义通过{}发放  讲义通过什么渠道发放  发放讲义用什么渠道
ascending: due date
ascending: begin quiz
> {course}将于{date}在{room}开课，由{teacher}主讲。
> 由{teacher}主讲的{course}定于{date}开课。
> {course}由{teacher}主讲，{helper}担任助教。
> {course}在{room}上课，每次{begin}开始。
- 每次{begin}上课，时长为{length}。
| 每次课时长{length}，{begin}开始上课。
| 每次课时长为{length}。
- 本班限招{seats}，学费为{fee}。
| 学费{fee}，本班限招{seats}。
| 学费为{fee}。
- 报名通过{join}进行，{due}截止。
| 报名{due}截止，请通过{join}报名。
- 答疑{quiz}开始，地点是{help_room}。
| 答疑地点是{help_room}，{quiz}开始。
- 讲义由助教{helper}通过{files}发放。
| 助教是{helper}，讲义通过{files}发放。
| 讲义通过{files}发放。

[trip 旅行通知]
dest     place:sight     目的地    旅行的目的地是{}  旅行的目的地是哪里  旅行团要去哪里
lunch    place:sight     午餐地点  午餐安排在{}  午餐安排在哪里  在哪里吃午餐
gate     place:gate      集合地点  集合地点是{}  集合地点是哪里  在哪里集合
hotel    place:hotel     住宿地点  当晚住在{}  当晚住在哪里  住宿地点是哪里
leader   person          领队      领队是{}  领队是谁  谁是旅行团的领队
guide    person          导游      当地导游是{}  当地导游是谁  谁是当地导游
doctor   person          随队医生  随队医生是{}  随队医生是谁  谁是随队医生
date     date            出发日期  旅行团{}出发  旅行团哪天出发  出发日期是哪天
back     date            返程日期  旅行团{}返程  旅行团哪天返程  返程日期是哪天
meet     time            集合时间  集合时间是{}  集合时间是几点  几点集合
leave    time            发车时间  发车时间是{}  发车时间是几点  大巴几点发车
ride     minutes         车程      单程车程为{}  单程车程是多久  单程坐车要多久
people   count:人        全团人数  全团共{}  全团共多少人  旅行团有多少人
cost     money           费用      每人费用为{}  每人费用是多少  每人要交多少钱
channel  channel:public  请假渠道  请假通过{}办理  请假通过什么渠道办理  办理请假用什么渠道
photo    channel:post    照片渠道  旅行照片通过{}分享  旅行照片通过什么渠道分享  分享旅行照片用什么渠道
ascending: date back
ascending: meet leave
> {date}出发去{dest}的旅行团，领队是{leader}。
> 去{dest}的旅行团定于{date}{meet}在{gate}集合。
> 去{dest}的旅行团由{leader}担任领队，{date}出发。
> {dest}旅行团的集合地点是{gate}，集合时间是{meet}。
- 大巴{leave}发车，单程车程为{ride}。
| 单程车程{ride}，大巴{leave}发车。
| 发车时间是{leave}。
- 午餐安排在{lunch}，当晚住在{hotel}。
| 当晚住在{hotel}，午餐安排在{lunch}。
| 当晚住在{hotel}。
- 当地导游是{guide}，随队医生是{doctor}。
| 随队医生是{doctor}，当地导游是{guide}。
| 当地导游是{guide}。
- 全团共{people}，每人费用{cost}。
| 每人费用为{cost}，全团共{people}。
- 旅行团{back}返程。
| 返程日期为{back}，单程车程{ride}。
- 请假通过{channel}办理，照片通过{photo}分享。
| 旅行照片通过{photo}分享，请假通过{channel}办理。
| 临时请假的，请通过{channel}办理。

[club 社团活动]
club       club            社团      举办活动的社团是{}  举办活动的是哪个社团  哪个社团举办活动
book       book            本期书目  本期共读{}  本期共读哪本书  本期读的是什么书
next_book  book            下期书目  下期共读{}  下期共读哪本书  下期读的是什么书
next_date  date            下期日期  下期活动定于{}  下期活动定于哪天  下期活动的日期是哪天
host       host            主持人    活动由{}主持  活动由谁主持  活动的主持人是谁
guest      person          分享嘉宾  分享嘉宾是{}  分享嘉宾是谁  谁是分享嘉宾
photo      person          拍照人    活动由{}负责拍照  活动由谁负责拍照  谁负责给活动拍照
date       date            活动日期  活动在{}举办  活动在哪天举办  活动日期是哪天
begin      time            开始时间  活动{}开始  活动几点开始  活动的开始时间是几点
end        time            结束时间  活动{}结束  活动几点结束  活动的结束时间是几点
place      place:venue     活动地点  活动在{}举办  活动在哪里举办  活动地点是哪里
pick       place:lounge    领书地点  领书地点是{}  领书地点是哪里  应到哪里领书
seats      count:人        名额      活动名额为{}  活动名额是多少  活动最多多少人参加
books      many:本         赠书数量  现场赠书{}  现场赠书多少本  赠书数量是多少
join       channel:public  报名渠道  报名通过{}进行  报名通过什么渠道进行  报名用什么渠道
live       channel:post    直播渠道  活动通过{}直播  活动通过什么渠道直播  直播活动用什么渠道
ascending: date next_date
ascending: begin end
> {club}将于{date}在{place}举办活动，由{host}主持。
> {date}{begin}，{club}在{place}举办活动。
> {club}的本期活动由{host}主持，分享嘉宾是{guest}。
> {club}在{place}举办活动，{begin}开始，{end}结束。
- 分享嘉宾是{guest}，{photo}负责拍照。
| {photo}负责拍照，分享嘉宾是{guest}。
| 活动由{host}主持，{photo}负责拍照。
- 本期共读{book}，下期共读{next_book}。
| 下期共读{next_book}，本期共读{book}。
| 下期活动定于{next_date}，共读{next_book}。
| 本期共读{book}。
- 活动{begin}开始，{end}结束。
| 活动{end}结束。
- 名额为{seats}，现场赠书{books}。
| 现场赠书{books}，名额{seats}。
| 活动名额为{seats}。
- 报名请通过{join}，活动通过{live}直播。
| 活动通过{live}直播，报名请通过{join}。
| 请通过{join}报名。
- 参加者可到{pick}领书。
| 领书地点是{pick}。

[checkup 体检预约]
patient  person          体检人    预约体检的是{}  预约体检的是谁  谁预约了体检
doctor   person          主检医生  主检医生是{}  主检医生是谁  体检由哪位医生主检
nurse    person          导检护士  导检护士是{}  导检护士是谁  导检由哪位护士负责
clinic   place:clinic    体检地点  体检地点是{}  体检地点是哪里  体检在哪里进行
rest     place:lounge    等候地点  家属在{}等候  家属在哪里等候  家属的等候地点是哪里
date     date            体检日期  体检在{}进行  体检在哪天进行  体检日期是哪天
report   date            报告日期  体检报告{}出具  体检报告哪天出具  哪天能拿到体检报告
begin    time            体检时间  体检{}开始  体检几点开始  体检的开始时间是几点
fast     time:evening    禁食时间  前一晚{}后禁食  前一晚几点后禁食  前一晚从几点起不能吃东西
length   minutes         体检时长  体检全程需要{}  体检全程需要多久  体检时长是多少
cost     sum             体检费用  体检费用为{}  体检费用是多少  这次体检要付多少钱
park     fee             停车费    停车费为{}  停车费是多少  停车要付多少钱
result   channel:public  查询渠道  体检报告通过{}查询  体检报告通过什么渠道查询  查询体检报告用什么渠道
change   channel:public  改期渠道  改期通过{}办理  改期通过什么渠道办理  想改期应通过什么渠道
ascending: date report
ascending: park cost
> {patient}预约了{date}{begin}在{clinic}体检。
> {clinic}为{patient}安排了体检，日期是{date}。
> {patient}的体检安排在{clinic}，主检医生是{doctor}。
> {patient}将于{date}体检，{begin}开始。
- 主检医生是{doctor}，导检护士是{nurse}。
| 导检护士是{nurse}，主检医生是{doctor}。
| 导检护士是{nurse}。
- 体检全程需要{length}，费用为{cost}。
| 体检费用{cost}，全程需要{length}。
| 体检费用为{cost}，停车费为{park}。
- 前一晚{fast}后请禁食。
| 请在前一晚{fast}后禁食，家属可在{rest}等候。
- 体检报告{report}出具，通过{result}查询。
| 体检报告通过{result}查询，{report}出具。
| 改期通过{change}办理，体检报告通过{result}查询。
- 家属可在{rest}等候。
| 家属等候地点是{rest}，停车费{park}。
- 改期请通过{change}办理。
| 如需改期，请通过{change}办理。

[match 比赛结果]
winner      squad          胜方      获胜的是{}  获胜的是哪支队伍  哪支队伍赢了
loser       squad          负方      输掉比赛的是{}  输掉比赛的是哪支队伍  哪支队伍输了
date        date           比赛日期  这场比赛在{}进行  这场比赛在哪天进行  这场比赛的日期是哪天
place       place:stadium  比赛地点  这场比赛在{}进行  这场比赛在哪里进行  这场比赛的地点是哪里
begin       time           开赛时间  这场比赛{}开始  这场比赛几点开始  这场比赛的开始时间是几点
high        count:分       胜方得分  胜方得到{}  胜方得到多少分  胜方的得分是多少
low         count:分       负方得分  负方得到{}  负方得到多少分  负方的得分是多少
star        person         最佳球员  最佳球员是{}  最佳球员是谁  谁被评为最佳球员
judge       person         主裁判    主裁判是{}  主裁判是谁  比赛由谁担任主裁判
coach       person         胜方教练  胜方教练是{}  胜方教练是谁  胜方由谁担任教练
crowd       many:人        观众人数  现场观众有{}  现场观众有多少人  观众人数是多少
prize       money          奖金      胜方奖金为{}  胜方奖金是多少  胜方拿到多少奖金
length      minutes        比赛时长  比赛历时{}  比赛历时多久  比赛时长是多少
next        date           下场日期  下一场比赛定于{}  下一场比赛定于哪天  下一场比赛是哪天
next_place  place:stadium  下场地点  下一场比赛在{}进行  下一场比赛在哪里进行  下一场比赛的地点是哪里
ascending: date next
ascending: low high
> {date}，{winner}在{place}战胜{loser}。
> {loser}在{place}不敌{winner}，主裁判是{judge}。
> {date}{begin}，{winner}与{loser}交手，前者获胜。
> {date}{begin}，{loser}与{winner}交手，后者获胜。
> {loser}在{date}{begin}的比赛中负于{winner}。
- 胜方得到{high}，负方得到{low}。
| 负方得到{low}，胜方得到{high}。
- 最佳球员是{star}，主裁判是{judge}。
| 主裁判是{judge}，最佳球员是{star}。
| 最佳球员是{star}，胜方教练是{coach}。
- 现场观众有{crowd}，胜方奖金为{prize}。
| 胜方奖金{prize}，现场观众{crowd}。
| 胜方奖金为{prize}。
- 比赛历时{length}。
| 比赛历时{length}，现场观众有{crowd}。
- 胜方教练是{coach}。
| 赛后，胜方教练{coach}感谢了观众。
- 下一场比赛定于{next}，在{next_place}进行。
| 下一场比赛在{next_place}进行，定于{next}。

[donation 捐赠活动]
org      org             捐赠单位  捐赠单位是{}  捐赠单位是哪家  哪家单位进行了捐赠
school   place:school    受赠学校  受赠的学校是{}  受赠的是哪所学校  哪所学校得到捐赠
books    many:本         图书数量  捐赠图书{}  捐赠图书多少本  捐赠的图书数量是多少
box      count:箱        文具数量  捐赠文具{}  捐赠文具多少箱  捐赠的文具数量是多少
money    money           善款      捐赠善款{}  捐赠善款多少元  捐赠的善款是多少
date     date            捐赠日期  捐赠仪式在{}举行  捐赠仪式在哪天举行  捐赠仪式的日期是哪天
arrive   date            送达日期  物资{}送达  物资哪天送达  物资的送达日期是哪天
begin    time            仪式时间  捐赠仪式{}开始  捐赠仪式几点开始  捐赠仪式的开始时间是几点
place    place:venue     仪式地点  捐赠仪式在{}举行  捐赠仪式在哪里举行  捐赠仪式的地点是哪里
length   minutes         仪式时长  捐赠仪式历时{}  捐赠仪式历时多久  捐赠仪式的时长是多少
host     host            主持人    捐赠仪式由{}主持  捐赠仪式由谁主持  捐赠仪式的主持人是谁
guest    person          学校代表  学校代表是{}  学校代表是谁  谁代表学校接收捐赠
driver   person          运送人    物资由{}负责运送  物资由谁负责运送  谁负责运送物资
store    place:store     存放地点  物资存放在{}  物资存放在哪里  物资放在什么地方
channel  channel:public  捐赠渠道  个人捐赠通过{}登记  个人捐赠通过什么渠道登记  登记个人捐赠用什么渠道
list     channel:post    明细渠道  捐赠明细通过{}公示  捐赠明细通过什么渠道公示  公示捐赠明细用什么渠道
ascending: date arrive
> {date}，{org}向{school}捐赠图书{books}。
> {org}向{school}捐赠善款{money}，仪式在{place}举行。
> {date}{begin}，{org}为{school}举行捐赠仪式。
> {school}收到{org}的捐赠，仪式于{date}在{place}举行。
- 仪式由{host}主持，学校代表是{guest}。
| 学校代表是{guest}，仪式由{host}主持。
| 捐赠仪式由{host}主持，历时{length}。
| 学校代表是{guest}。
- 此次捐赠文具{box}，善款{money}。
| 善款{money}，另有文具{box}。
| 另外还捐赠文具{box}。
- 物资由{driver}负责运送，{arrive}送达。
| 物资{arrive}送达，由{driver}负责运送。
- 物资存放在{store}。
| 物资将统一存放在{store}。
- 个人捐赠通过{channel}登记，明细通过{list}公示。
| 捐赠明细通过{list}公示，个人捐赠通过{channel}登记。
| 捐赠明细通过{list}公示。

[volunteer 志愿活动]
org     org               组织单位      组织单位是{}  组织单位是哪家  志愿活动由哪家单位组织
date    date              服务日期      志愿服务在{}进行  志愿服务在哪天进行  服务日期是哪天
due     date              报名截止日期  报名{}截止  报名哪天截止  报名截止日期是哪天
place   place:home        服务地点      服务地点是{}  服务地点是哪里  志愿者到哪里服务
gate    place:gate        集合地点      集合地点是{}  集合地点是哪里  志愿者在哪里集合
meet    time              集合时间      集合时间是{}  集合时间是几点  志愿者几点集合
end     time              结束时间      服务{}结束  服务几点结束  服务的结束时间是几点
days    days              项目期限      项目为期{}  项目为期多久  项目要持续多少天
people  count:人          招募人数      计划招募{}  计划招募多少人  招募人数是多少
leader  person            队长          志愿队队长是{}  志愿队队长是谁  谁担任志愿队队长
sign    person            签到负责人    签到由{}负责  签到由谁负责  谁负责签到
medic   person            急救负责人    急救由{}负责  急救由谁负责  谁负责急救
am      action:volunteer  上午任务      上午的任务是{}  上午的任务是什么  志愿者上午要做什么
pm      action:volunteer  下午任务      下午的任务是{}  下午的任务是什么  志愿者下午要做什么
join    channel:public    报名渠道      报名通过{}进行  报名通过什么渠道进行  报名用什么渠道
news    channel:post      通知渠道      变动通过{}通知  变动通过什么渠道通知  通知变动用什么渠道
ascending: due date
ascending: meet end
> {date}，{org}组织志愿者到{place}服务。
> {org}将于{date}组织志愿服务，队长是{leader}。
> {org}组织志愿者到{place}服务，{leader}担任队长。
> {org}的志愿者将于{date}{meet}在{gate}集合。
- 签到由{sign}负责，急救由{medic}负责。
| 急救由{medic}负责，{sign}负责签到。
| {sign}负责签到，队长是{leader}。
- 集合地点是{gate}，集合时间是{meet}。
| {meet}在{gate}集合，服务{end}结束。
| 服务{end}结束。
- 上午的任务是{am}，下午的任务是{pm}。
| 下午的任务是{pm}，上午的任务是{am}。
| 上午的任务是{am}。
| 下午的任务是{pm}。
- 计划招募{people}，项目为期{days}。
| 项目为期{days}，计划招募{people}。
- 报名通过{join}进行，{due}截止。
| 报名{due}截止，变动通过{news}通知。
| 变动通过{news}通知，报名请通过{join}。

[weather 停课通知]
school    place:school    停课学校      停课的学校是{}  停课的是哪所学校  哪所学校停课
date      date            停课日期      学校从{}起停课  学校从哪天起停课  停课从哪天开始
back      date            复课日期      学校{}复课  学校哪天复课  复课日期是哪天
arrive    time:morning    到校时间      复课后学生{}前到校  复课后学生几点前到校  复课后的到校时间是几点
online    time            网课时间      网课{}开始  网课几点开始  网课的开始时间是几点
length    minutes         网课时长      每节网课时长为{}  每节网课时长是多少  每节网课上多久
duty      person          值班老师      值班老师是{}  值班老师是谁  停课期间哪位老师值班
guard     person          巡查负责人    校园巡查由{}负责  校园巡查由谁负责  谁负责校园巡查
action    action:safety   停课期间措施  停课期间后勤组要{}  停课期间后勤组要做什么  停课期间后勤组的措施是什么
after     action:safety   复课前措施    复课前后勤组要{}  复课前后勤组要做什么  复课前后勤组的措施是什么
exam      place:room      补考地点      补考改在{}进行  补考改在哪里进行  补考地点是哪里
shelter   place:stadium   避险地点      临时避险点设在{}  临时避险点设在哪里  临时避险点在什么地方
seats     many:人         避险人数      临时避险点可容纳{}  临时避险点可容纳多少人  临时避险点最多容纳多少人
homework  channel:post    作业渠道      作业通过{}发布  作业通过什么渠道发布  发布作业用什么渠道
ask       channel:public  咨询渠道      家长通过{}咨询  家长通过什么渠道咨询  家长咨询用什么渠道
ascending: date back
> 受强降雨影响，{school}从{date}起停课，{back}复课。
> 因大风天气，{school}从{date}起停课。
> 受恶劣天气影响，{school}停课，预计{back}复课。
> {school}因雷雨停课，值班老师是{duty}。
- 值班老师是{duty}，{guard}负责校园巡查。
| {guard}负责校园巡查，值班老师是{duty}。
| 校园巡查由{guard}负责。
- 网课{online}开始，每节时长{length}。
| 每节网课{length}，{online}开始。
- 复课后，学生须在{arrive}前到校。
| 复课后的到校时间改为{arrive}前。
- 停课期间，后勤组要{action}；复课前要{after}。
| 后勤组复课前要{after}，停课期间要{action}。
| 停课期间，后勤组要{action}。
- 补考改在{exam}进行。
| 补考改在{exam}进行，临时避险点设在{shelter}。
- 临时避险点设在{shelter}，可容纳{seats}。
| 临时避险点可容纳{seats}。
- 作业通过{homework}发布，家长可通过{ask}咨询。
| 家长可通过{ask}咨询，作业通过{homework}发布。
| 作业通过{homework}发布。
"""
