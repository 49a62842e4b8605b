"""Make demo.tsv and demo_dev.tsv: Chinese question pairs, same question (1) or not (0).

Every text is put together from the tables below with a fixed seed, by the standard library alone,
so `python data/make_demo.py` writes the same bytes each time. The column s_label says what was
planted: 0 a normal pair, 1 a hard pair with the right label, 2 a dirty pair (its label is flipped).

How to read the tables: "/" separates phrasings that mean the same, "[a|b]" is a choice of words
that changes nothing, "[怎么]" is a choice from WORDS, and X, Y, Z are filled in from the row's fills.
"""

import itertools
import random
import re
from pathlib import Path

SEED = 20240607
NORMAL, HARD, DIRTY = 0, 1, 2
FILES = {  # rows of each kind; half of each carry label 1
    "demo.tsv": {NORMAL: 1200, HARD: 150, DIRTY: 150},
    "demo_dev.tsv": {NORMAL: 260, HARD: 40},
}

WORDS = {
    "怎么": "怎么|怎么|如何|怎样|该怎么|咋",
    "为什么": "为什么|为什么|为啥|怎么",
    "怎么办": "怎么办|该怎么办|咋办",
    "要": "要|需要|得",
    "能": "能|可以",
    "能不能": "能不能|可不可以",
    "哪里": "哪里|哪儿|什么地方",
    "什么": "什么|哪些",
}
OPENINGS = ["请问", "请问一下，", "想问一下，", "我想知道", "你好，", "求助，"]
ENDINGS = ["？", "？", "？", "?", "？？", "，谢谢"]

PHONES = "华为手机|小米手机|苹果手机|三星手机|荣耀手机|红米手机|魅族手机"
APPS = "微信|支付宝|抖音|淘宝|微博|知乎|快手|小红书"
BANKS = "工商银行|建设银行|农业银行|招商银行|交通银行|邮政银行|民生银行|浦发银行"
CITIES = "西安|成都|厦门|桂林|丽江|青岛|哈尔滨|杭州|三亚|张家界"
STATIONS = "北京|上海|广州|武汉|南京|郑州|天津|济南"
DISHES = "红烧肉|糖醋排骨|宫保鸡丁|麻婆豆腐|酸菜鱼|水煮肉片|鱼香肉丝|可乐鸡翅"
FOODS = "螃蟹|芒果|香蕉|榴莲|西瓜|山药|木耳|菠菜|核桃|莲藕"
ILLNESSES = "感冒|咳嗽|失眠|口腔溃疡|湿疹|胃炎|鼻炎|便秘|颈椎病|痛风"
EXAMS = "英语四级|英语六级|教师资格证|初级会计|注册会计师|计算机二级|公务员"
SUBJECTS = "数学|英语|物理|化学|语文|生物|历史|地理"
GAMES = "王者荣耀|英雄联盟|穿越火线|梦幻西游|和平精英|原神|阴阳师|我的世界"
PETS = "金毛|泰迪|哈士奇|柯基|边牧|布偶猫|橘猫|博美|加菲猫"
JOBS = "会计|律师|程序员|护士|快递员|空姐|导游|厨师|幼师"
DRAMAS = "甄嬛传|琅琊榜|武林外传|还珠格格|亮剑|天龙八部|射雕英雄传|仙剑奇侠传"
APPLIANCES = "洗衣机|空调|冰箱|热水器|油烟机|微波炉|洗碗机|加湿器"
PAPERS = "身份证|护照|居住证|社保卡|驾驶证|健康证|港澳通行证"
COURIERS = "顺丰快递|圆通快递|中通快递|韵达快递|申通快递|京东快递"


def ordered_pairs(fills):
    """All "x,y" of two different fills, both ways round."""
    return "|".join(map(",".join, itertools.permutations(fills.split("|"), 2)))


# Normal pairs. A topic: what X (and Y) may be, then its intents, one a line.
TOPICS = [
    (PHONES, [
        "X[怎么]截屏/X[怎么]截图/[怎么]用X截图/X截屏[怎么][弄|操作]",
        "X充电[为什么]这么慢/X充电[很慢|特别慢]是[什么原因|怎么回事]/[为什么]X充电[很慢|那么慢]",
        "X[怎么][连接|连]电脑/[怎么]把X连到电脑上/X和电脑[怎么]连接",
        "X[发烫|发热]是[什么原因|怎么回事]/X[为什么][老是|总是]发[热|烫]/[为什么]X用着用着就发[热|烫]",
        "X[怎么]恢复出厂设置/[怎么]把X恢复出厂设置/X恢复出厂设置[怎么][弄|操作]",
        "X[多少钱|要多少钱]一[部|台]/买一[部|台]X[要]多少钱/X的[价格|价钱]是多少/X一[部|台]卖多少钱",
        "[怎么][辨别|鉴别]X的真假/X[怎么][辨别|分辨]真[假|伪]/[怎么]看X是不是正品",
    ]),
    (APPS, [
        "X[怎么][修改|更改|改]密码/X的密码[怎么][改|修改]/[怎么][修改|更改]X的登录密码/想改X密码[怎么][弄|操作]",
        "X账号[怎么]注销/[怎么]注销X[账号|号]/X号不想要了[怎么]注销/注销X账号[怎么][弄|操作]",
        "X[怎么][更换|换]绑定的手机号/X绑定的手机号[怎么][换|更换]/换了手机号X[怎么]改绑",
        "X[为什么]登录不了/X登[不上去|录不了]是[什么原因|怎么回事]/[为什么]我的X登[不上去|录不了]",
        "X[怎么][清理|清除]缓存/[怎么][清理|清除]X的缓存/X缓存太多了[怎么]清理/X的缓存[怎么][清理|删]",
        "X[怎么]找人工客服/[怎么]联系X的人工客服/X的人工客服[怎么]联系/[怎么]才能找到X的人工客服",
        "X[怎么]改[名字|昵称]/X的[昵称|名字][怎么][修改|改]/[怎么][修改|更改]X的[昵称|名字]",
    ]),
    (BANKS, [
        "X信用卡[怎么][申请|办理]/[怎么][申请|办理]X的信用卡/想办一张X的信用卡[怎么][弄|申请]",
        "[办|申请]X信用卡[要]什么条件/X信用卡的[申请|办理]条件[是什么|有哪些]/什么条件[能]办X的信用卡",
        "X[的客服|客服]电话是多少/X的客服热线是多少/联系X客服打什么电话/X客服号码是多少",
        "X周末[上班|营业|开门]吗/X周末[上不上班|开不开门]/周末X[有人上班|营业|开门]吗/X双休日[上班|营业]吗",
        "X[怎么]开通[网银|网上银行]/[怎么]开通X的[网银|网上银行]/X的[网银|网上银行][怎么][开通|办理]",
        "X定期[利息|利率]是多少/在X存定期[利息|利率][是多少|有多少]/钱存在X，定期[利息|利率]是多少",
        "X的卡丢了[怎么]挂失/[怎么]挂失X的卡/X的卡挂失[怎么][办理|操作]/想把X的卡挂失[怎么][办理|操作]",
    ]),
    (CITIES, [
        "X有[什么]好玩的地方/X[哪里]好玩/去X[旅游|玩]有[什么]景点值得去/X[值得去|必去]的景点有哪些",
        "X有[什么]特产/X的[特产|土特产][是什么|有哪些]/X有[什么]土特产[值得买|可以带]",
        "[什么时候|几月份]去X[旅游|玩][最好|最合适]/去X[旅游|玩]几月份[最好|最合适]/X旅游的最佳时间是[什么时候|几月份]",
        "去X[玩|旅游]几天[合适|比较好]/X旅游[要]几天/在X玩几天[够|合适]/去X[旅游|玩]安排几天[好|合适]",
        "X有[什么]好吃的小吃/X的特色小吃有[什么]/去X必吃的小吃有[什么]/X[什么]小吃[好吃|最好吃]",
        "X今天天气怎么样/今天X的天气[怎么样|好不好]/X今天的天气[如何|怎么样]/今天X是什么天气",
        "去X[旅游|玩]住[哪里][好|方便]/到X[旅游|玩]住在[哪里][好|方便]/X旅游住[哪里]比较[好|方便]",
    ]),
    (ordered_pairs(STATIONS), [
        "从X到Y[怎么][走|坐车]/X到Y[怎么]坐车/从X去Y[怎么][走|坐车]/X去Y[怎么]走[方便|最方便]",
        "从X到Y[要][多长时间|多久]/X到Y[要][多久|几个小时]/从X去Y[要]几个小时/X去Y路上[要]多久",
        "从X到Y的高铁票多少钱/X到Y高铁[多少钱|票价是多少]/X去Y坐高铁[要]多少钱/坐高铁从X到Y[要]多少钱",
        "X到Y有多少公里/从X到Y[多远|有多远]/X离Y有多远/X到Y的距离是多少",
    ]),
    (DISHES, [
        "X[怎么]做/X的[做法|家常做法]是什么/[怎么]做X[好吃|才好吃]/在家[怎么]做X/X[怎么]做[好吃|才好吃]",
        "X的热量是多少/一份X有多少热量/X有多少卡路里/一份X的热量[大概是|是]多少",
        "X是[哪里|哪儿|哪个地方]的菜/X是什么菜系/X属于[哪个|什么]菜系/X是[哪里|哪儿]的[特色菜|名菜]",
        "做X[要][什么][食材|材料]/X的[材料|食材]有哪些/X[要]准备[什么][材料|食材]",
        "隔夜的X[还能|能]吃吗/X放一晚上[还能|能]吃吗/X隔夜了还[能]吃吗/隔夜的X[能不能]吃",
        "X用英语[怎么][说|讲]/X的[英文|英语][是什么|怎么说]/X翻译成[英文|英语][是什么|怎么说]",
    ]),
    (FOODS, [
        "孕妇[能]吃X吗/孕妇[能不能]吃X/怀孕期间[能]吃X吗/怀孕的时候[能不能]吃X",
        "糖尿病人[能]吃X吗/糖尿病人[能不能]吃X/得了糖尿病[能]吃X吗/有糖尿病的人[能不能]吃X",
        "X[怎么]保存/[怎么]保存X/X买多了[怎么][保存|存放]/X[怎么]存放不容易坏",
        "X[怎么][挑|选|挑选]/[怎么][挑|选|挑选]X/买X[怎么][挑|选]/[怎么]挑到好的X",
        "X有[什么]营养/X的营养价值[有哪些|是什么]/X有[什么]营养价值/X[都有|含有][什么]营养",
        "X[不能|不可以]和[什么]一起吃/吃X不能同时吃[什么]/X和[什么]相克/X不宜和[什么]同吃",
        "X多少钱一斤/一斤X[要|卖]多少钱/X一斤[要|卖]多少钱/现在X多少钱一斤",
    ]),
    (ILLNESSES, [
        "X吃什么药[好|管用]/X[应该|该]吃[什么|哪种]药/治X吃什么药[好|管用]/治疗X用什么药[好|管用]",
        "X[应该|该|要]挂什么科/X去医院挂[什么|哪个]科/看X[要|该]挂[什么|哪个]科/X要看[什么|哪个]科",
        "X是[怎么|什么原因]引起的/引起X的原因[有哪些|是什么]/X的[原因|病因][是什么|有哪些]/X都是什么原因造成的",
        "X[多久|多长时间]能好/X[要]多久才能好/X一般[多久|多长时间]能[好|恢复]",
        "[怎么]预防X/X[怎么]预防/预防X有[什么]办法/平时[怎么]预防X",
        "X[能]喝酒吗/X[能不能]喝酒/X的时候[能]喝酒吗/X期间[能不能]喝酒",
    ]),
    (EXAMS, [
        "X[什么时候|几月份]报名/X考试[什么时候|几月份]报名/X的报名时间是[什么时候|几月份]/今年X什么时候开始报名",
        "X成绩在[哪里|哪儿]查/去[哪里|哪儿]查X的成绩/X的成绩[在哪里|去哪个网站]查/查X成绩上哪个网站",
        "X考[些什么|什么内容]/X考试考[什么]内容/X的考试内容[是什么|有哪些]/X考试都考什么",
        "报考X[要]什么条件/什么人[能]报考X/X的报考条件[是什么|有哪些]/报考X有[什么]要求",
        "X考试难[吗|不难]/考X难[吗|不难]/X难不难考/X好考吗",
        "X准考证[怎么]打印/[怎么]打印X的准考证/X的准考证[怎么]打印/想打印X准考证[怎么][弄|操作]",
        "考X[要]准备多久/X[要][复习|准备][多长时间|多久]/备考X[要][多长时间|多久]",
    ]),
    (SUBJECTS, [
        "[怎么]学好X/X[怎么]才能学好/[怎么]才能把X学好/学好X有[什么]方法",
        "请X家教一小时多少钱/X家教一个小时[多少钱|收多少钱]/X家教[多少钱|怎么收费]/请个X家教[要]多少钱",
        "X不及格[怎么办]/X考试不及格[怎么办]/X总是不及格[怎么办]/孩子X不及格[怎么办]",
        "X用什么辅导书好/X买[哪本|什么]辅导书[好|比较好]/学X用[哪本|什么]辅导书[好|比较好]",
        "高考X满分是多少/高考X[一共|总共]多少分/X在高考中占多少分/高考X总分是多少",
    ]),
    (GAMES, [
        "X[怎么]改[名字|名]/X的名字[怎么][改|修改]/[怎么][修改|改]X里的名字/X里想换个名字[怎么]弄",
        "X[为什么][这么|那么]卡/玩X[很卡|特别卡]是[怎么回事|什么原因]/[为什么]我玩X[这么|那么]卡",
        "新手[怎么]玩X/X新手[怎么][入门|玩]/刚开始玩X[怎么][入门|上手]/X新手[怎么]快速入门",
        "X防沉迷[怎么][解除|取消]/[怎么][解除|取消]X的防沉迷/X的防沉迷[怎么][解除|取消]",
        "玩X[能]赚钱吗/X[能不能]赚钱/靠玩X[能]赚钱吗/玩X[能不能]挣钱",
        "X充值[怎么]退款/X里充的钱[怎么]退/[怎么]申请X充值退款/X充了钱想退款[怎么]弄",
        "X是[哪一年|哪年|什么时候][出的|上线的]/X这个游戏是[哪一年|哪年]出的/X最早是[哪一年|什么时候]上线的",
    ]),
    (PETS, [
        "一只X[多少钱|要多少钱]/买一只X[要]多少钱/X多少钱一只/X一只卖多少钱",
        "X掉毛[吗|厉害吗|严重吗]/X[掉不掉毛|会掉毛吗]/养X[会不会掉毛|掉毛吗]/X掉毛[多不多|多吗]",
        "X[能]活[多少年|几年|多久]/X的寿命[是多少年|有多长]/X一般能活[多少年|几年|多久]/X的平均寿命是[多少年|几年]",
        "X不吃[东西|饭][怎么办]/X不[肯|爱]吃饭[怎么办]/家里的X不吃[东西|饭][怎么办]",
        "[怎么][训练|教]X定点[上厕所|大小便]/X[怎么]训练定点[上厕所|大小便]/[怎么]让X学会定点[上厕所|大小便]",
        "X[多久|多长时间]洗一次澡[好|合适]/X一般多久洗一次澡/多久给X洗一次澡[好|合适]",
        "X[要]打[什么]疫苗/养X[要]打[什么]疫苗/X要打的疫苗有[什么]/给X打[什么]疫苗",
    ]),
    (JOBS, [
        "X一个月[多少工资|工资多少]/X的[工资|月薪][是多少|大概多少]/[做|当]X一个月[能][挣|赚]多少钱",
        "X的[发展前景|就业前景]怎么样/[做|当]X[有没有前途|有前途吗]/X这个职业[有前途吗|前景怎么样]",
        "[做|当]X[要]什么条件/成为X[要]什么条件/[做|当]X[要]具备[什么]条件/什么样的人[能]当X",
        "X面试[一般|都]问什么/面试X[一般|都]会问[什么]问题/X面试会问[什么]问题/去面试X会被问到什么",
        "X[每天|平时]都[做|干]什么/X的工作内容是什么/X是[做|干]什么的/X主要[做|干][什么]工作",
        "[做|当]X累[吗|不累]/[做|当]X[辛苦吗|辛不辛苦]/X这份工作[累吗|辛苦吗|累不累]",
    ]),
    (DRAMAS, [
        "X的结局是什么/X最后的结局[怎么样|是什么]/X最后是什么结局/X的大结局[怎么样|是什么]",
        "X的主题曲叫什么/X的主题曲是[什么|哪首]歌/X的主题歌是[什么|哪首]歌/电视剧X主题曲[叫什么|是什么]",
        "X[一共|总共]有多少集/X有多少集/X[一共|总共]是多少集/电视剧X有多少集",
        "X在[哪里|哪儿][能]看/[哪里|哪儿][能]看X/X在哪个网站[能]看/想看X去[哪里|哪儿]看",
        "X的导演是谁/X是谁[导演|导]的/X这部剧的导演是谁/电视剧X是谁[导演|导]的",
        "X是[哪一年|哪年]播出的/X是[哪一年|什么时候]首播的/X最早是[哪一年|什么时候]播的",
    ]),
    (APPLIANCES, [
        "X[怎么][清洗|清洁]/[怎么][清洗|清洁]X/X脏了[怎么][清洗|清洁]/家里的X[怎么][清洗|清洁]",
        "X[什么|哪个]牌子好/买X[什么|哪个]牌子好/[什么|哪个]牌子的X[好|质量好]/X哪个品牌[好|质量好]",
        "X[耗电|费电]吗/X[费不费电|耗不耗电]/用X[费电|耗电]吗/家里用X[费不费电|耗不耗电]",
        "X[能]用[几年|多少年]/X的使用寿命是[几年|多少年]/一台X[一般能|能]用[多久|几年]/X一般能用[多久|几年]",
        "X坏了[找谁|去哪里]修/[哪里|哪儿]可以修X/X坏了去[哪里|哪儿][维修|修]/修X[找谁|去哪里]",
        "X声音[很大|特别大]是[怎么回事|什么原因]/X[为什么][声音|噪音][这么|那么]大/[为什么]X[声音|噪音]特别大",
    ]),
    (PAPERS, [
        "X丢了[怎么][补办|补]/[怎么]补办X/X[怎么]补办/X不见了[怎么][补办|补]",
        "办X[要][什么][材料|手续]/办理X[要]带[什么]材料/X办理[要][什么]材料/去办X[要]带什么材料",
        "办X[要][多久|几天|多长时间]/X[几天|多久]能[办好|办下来]/X办理[要][多久|多长时间]",
        "X[能]异地办理吗/在外地[能]办X吗/X[能不能]在外地办/异地[能不能]办X",
        "办X[要]多少钱/办一个X[要]多少钱/X的办理费用是多少/办理X[要][花|交]多少钱",
        "办X去[哪里]/[在哪里|去哪里]办X/X[在哪里|去哪儿][办|办理]/想办X要去[哪里]",
    ]),
    (COURIERS, [
        "X[几天|多久]能到/X一般[几天|多久]能到/X[要]多久[能送到|才到]/寄X[几天|多久]能到",
        "X[怎么]查物流/[怎么]查X的物流/X的物流信息[怎么]查/[怎么]查询X到[哪里|哪儿]了",
        "寄X[要]多少钱/X寄一件[要]多少钱/X的运费[是多少|怎么算]/X[怎么]收费",
        "X[能]上门取件吗/X[能不能]上门取件/X有上门取件的服务吗/寄X[能不能]上门取件",
        "X丢件[怎么]赔[偿|]/X把东西弄丢了[怎么]赔[偿|]/东西被X弄丢了[怎么]赔[偿|]",
        "X过年还[送货|派送]吗/春节期间X还[送货|派送]吗/过年的时候X还[送货|派送]吗",
    ]),
]

# Hard negatives: the second question has X and Y swapped (a direction, a role, an opposite).
# A row: the "x,y" pairs, what Z may be, the phrasings.
OPPOSITES = [
    (ordered_pairs(STATIONS), "", "从X到Y[怎么]坐车/X到Y[怎么]坐车/从X去Y[怎么]坐车"),
    (ordered_pairs(STATIONS), "", "从X飞Y的机票多少钱/X飞Y的机票[要]多少钱/从X到Y的飞机票多少钱"),
    ("微信,银行卡|支付宝,银行卡|支付宝,微信", "", "X的钱[怎么]转到Y里/[怎么]把X里的钱转到Y"),
    ("手机,电脑|相机,手机|平板,电脑", "照片|视频|文件", "Z[怎么]从X传到Y/[怎么]把X上的Z传到Y上"),
    ("英语,中文|日语,中文|韩语,英语|法语,中文", "", "X翻译成Y用什么软件好/[怎么]用手机把X翻译成Y"),
    ("美元,人民币|欧元,人民币|日元,港币|英镑,欧元", "", "X[怎么]换成Y/一百X[能]换多少Y"),
    ("金毛,泰迪|边牧,哈士奇|柯基,博美|橘猫,布偶猫", "聪明|好养|粘人", "X比Y更Z吗/X是不是比Y更Z"),
    ("数学,物理|化学,生物|历史,地理|语文,英语", "", "X比Y难学吗/X是不是比Y难学"),
    ("我,朋友|我,同事|我,亲戚|我,邻居", "", "X借了Y的钱还不上[怎么办]/X欠Y的钱还不上[怎么办]"),
    ("老板,员工|老师,学生|老公,老婆|婆婆,儿媳", "", "X[总是|老是]误会Y[怎么办]/X[总是|老是]不相信Y[怎么办]"),
    ("打开,关闭|开启,关闭", "手机定位|飞行模式|深色模式|电脑防火墙|指纹解锁", "[怎么]XZ/Z[怎么]X"),
    ("饭前,饭后|早上,晚上", "感冒药|降压药|胃药|维生素|中药|益生菌", "Z[能]X吃吗/ZX吃[可以|行]吗"),
    ("增肥,减肥", "男生|女生|学生|中年人|上班族", "Z[怎么]X[最快|效果好]/Z[怎么]才能快速X"),
    ("涨,跌", "股票|黄金|房价|油价|猪肉|美元", "最近Z[为什么]X了这么多/[为什么]最近Z一直在X"),
    ("入职,离职|入学,退学|住院,出院|结婚,离婚|开户,销户", "", "X[要]办[什么]手续/办理X[要][什么]手续"),
    ("买,卖", "二手车|二手房|黄金|基金|股票|商铺", "XZ要注意[什么]问题/XZ有[什么]注意事项"),
    ("喜欢,不喜欢", "小猫|小狗|仓鼠|兔子|鹦鹉|小孩", "Z[为什么]X洗澡/[为什么]ZX洗澡"),
    ("可以,不可以", "献血|坐飞机|游泳|喝咖啡|打疫苗", "什么人XZ/哪些人XZ"),
    ("左,右", "眼皮跳|胳膊疼|膝盖疼|耳朵痒|肩膀酸", "XZ是[怎么回事|什么原因]/最近[老是|总是]XZ是[怎么回事|什么原因]"),
    ("一年,三年|一年,五年|两年,三年", BANKS, "在Z存X定期利率是多少/ZX定期利率是多少"),
    ("三天,五天|两天,四天", CITIES, "去Z玩X够吗/在Z玩X够不够"),
    ("大,小", "鞋子|衣服|裤子|戒指|帽子", "Z买X了[怎么办]/网上买的ZX了[怎么办]"),
    ("制热,制冷", "格力空调|美的空调|海尔空调|奥克斯空调", "Z[为什么]不X/Z不X是[怎么回事|什么原因]"),
    ("咸,淡", "红烧肉|鸡汤|饺子馅|火锅底料|凉菜", "Z做X了[怎么]补救/Z太X了[怎么]补救"),
]

# Hard positives: X and Y are two names of one thing; the first question says X, the second Y.
VEGETABLES = "西红柿,番茄|土豆,马铃薯|红薯,地瓜|猕猴桃,奇异果|玉米,苞米|圆白菜,卷心菜|香菜,芫荽"
SYMPTOMS = "感冒,伤风|拉肚子,腹泻|脚气,足癣|打呼噜,打鼾|中风,脑卒中|发烧,发热|牙疼,牙痛"
NICKNAMES = "哈尔滨,冰城|重庆,山城|成都,蓉城|昆明,春城|广州,羊城|济南,泉城|南京,金陵|上海,魔都"
THINGS = "充电宝,移动电源|自行车,单车|马桶,坐便器|洗面奶,洁面乳|电动车,电瓶车|电脑,计算机"
WORKERS = "医生,大夫|司机,驾驶员|空姐,空中乘务员|营业员,售货员|厨师,大厨|程序员,码农"
SYNONYMS = [
    (VEGETABLES, "", "孕妇[能]吃X吗/孕妇[能不能]吃X/怀孕期间[能]吃X吗"),
    (VEGETABLES, "", "X[怎么]保存/[怎么]保存X/X买多了[怎么]保存"),
    (SYMPTOMS, "", "X[应该|该]挂什么科/X去医院挂[什么|哪个]科"),
    (SYMPTOMS, "", "X是[怎么|什么原因]引起的/引起X的原因[有哪些|是什么]"),
    (NICKNAMES, "", "X有[什么]好玩的地方/X[哪里]好玩"),
    (NICKNAMES, "", "X有[什么]特产/X的特产[是什么|有哪些]"),
    (THINGS, "", "X[什么|哪个]牌子好/买X[什么|哪个]牌子好"),
    (WORKERS, "", "X一个月[多少工资|工资多少]/当X一个月[能][挣|赚]多少钱"),
]

# Hard positives: two ways to ask one thing that share few characters.
RECASTS = [
    (PHONES, "X[开不了机|无法开机][怎么办]", "我的X黑屏启动不起来，[怎么]处理"),
    (PHONES, "X忘记锁屏密码[怎么办]", "想不起来解锁图案了，[怎么]打开X"),
    (BANKS, "[怎么]注销X的信用卡", "不想用X的信用卡了，[哪里]可以销卡"),
    (APPS, "X被盗了[怎么办]", "别人登了我的X账号，[怎么]找回来"),
    (GAMES, "X被封号了[怎么办]", "我的X账号显示被冻结，[怎么]恢复正常"),
    (CITIES, "去X[玩|旅游]一趟[要]花多少钱", "X旅行的预算[大概|一般]是多少"),
    (CITIES, "X冬天[冷吗|冷不冷]", "X十二月份的气温[很低吗|低不低]"),
    (ordered_pairs(STATIONS), "从X到Y[要][多久|多长时间]", "去Y路上[要]几个小时，从X出发"),
    (DISHES, "X[怎么]做", "想自己在家烧一道X，步骤有哪些"),
    (EXAMS, "X一年考几次", "每年有几回X的考试机会"),
    (PETS, "X拉肚子[怎么办]", "我家养的X一直拉稀，[怎么]治"),
    (APPLIANCES, "X不工作了[怎么办]", "家里的X插上电没反应，[怎么]处理"),
    (COURIERS, "[怎么]投诉X", "对X的服务不满意，[哪里]可以反映"),
    (DRAMAS, "X的男主角是谁演的", "谁出演了X里面的男一号"),
    (JOBS, "X好找工作吗", "现在[做|当]X的就业形势怎么样"),
]


def split_fills(fills):
    """Read "a,b|c,d" as the tuples (a, b), (c, d)."""
    return [tuple(fill.split(",")) for fill in fills.split("|")]


def say(phrasing, fill, rng):
    """Make one question of a phrasing: choose its words, then fill in X, Y, Z."""
    def choose(match):
        return rng.choice(WORDS.get(match[1], match[1]).split("|"))

    text = re.sub(r"\[(.*?)\]", choose, phrasing)
    for slot, value in zip("XYZ", fill):
        text = text.replace(slot, value)
    return text


def normal_positive(rng):
    """One intent of one thing, asked in two phrasings."""
    fills, intents = rng.choice(TOPICS)
    fill = rng.choice(split_fills(fills))
    first, second = rng.sample(rng.choice(intents).split("/"), 2)
    return say(first, fill, rng), say(second, fill, rng)


def normal_negative(rng):
    """A near miss: another intent, another thing or, less often, both."""
    fills, intents = rng.choice(TOPICS)
    fill, intent = rng.choice(split_fills(fills)), rng.choice(intents)
    # A route and its way back differ in nothing but direction: that belongs to the hard ones.
    other_fills = [other for other in split_fills(fills) if set(other) != set(fill)]
    other_intents = [other for other in intents if other != intent]
    miss = rng.choice(["intent", "intent", "thing", "thing", "both"])
    other_fill = fill if miss == "intent" else rng.choice(other_fills)
    other_intent = intent if miss == "thing" else rng.choice(other_intents)
    first, second = rng.choice(intent.split("/")), rng.choice(other_intent.split("/"))
    return say(first, fill, rng), say(second, other_fill, rng)


def exchanged(table, rng):
    """Two questions of one row, X and Y changing places in the second."""
    pairs, others, phrasings = rng.choice(table)
    (x, y), z = rng.choice(split_fills(pairs)), rng.choice(others.split("|"))
    if rng.random() < 0.5:
        x, y = y, x
    first, second = rng.choice(phrasings.split("/")), rng.choice(phrasings.split("/"))
    return say(first, (x, y, z), rng), say(second, (y, x, z), rng)


def recast(rng):
    """A short question and a quite different way to ask it."""
    fills, first, second = rng.choice(RECASTS)
    fill = rng.choice(split_fills(fills))
    pair = [say(first, fill, rng), say(second, fill, rng)]
    rng.shuffle(pair)
    return tuple(pair)


def make_pair(kind, same, rng):
    """A pair of this kind that means the same (or not); the label is not part of it."""
    if kind != HARD:
        return normal_positive(rng) if same else normal_negative(rng)
    if not same:
        return exchanged(OPPOSITES, rng)
    return recast(rng) if rng.random() < 0.5 else exchanged(SYNONYMS, rng)


def new_pair(kind, same, rng, seen):
    """A pair that none of the files holds yet, in either order."""
    while True:
        pair = make_pair(kind, same, rng)
        key = frozenset(pair)
        if len(key) == 2 and key not in seen:
            seen.add(key)
            return pair


def dress(text, rng):
    """Add what people put around a question, or nothing: it must not tell the label."""
    opening = rng.choice(OPENINGS) if rng.random() < 0.12 else ""
    ending = rng.choice(ENDINGS) if rng.random() < 0.5 else ""
    return opening + text + ending


def make_rows(counts, rng, seen):
    """The rows (text_a, text_b, label, s_label) of one file, shuffled."""
    rows = []
    for kind, count in counts.items():
        for number in range(count):
            same = number % 2
            label = 1 - same if kind == DIRTY else same
            first, second = new_pair(kind, same, rng, seen)
            rows.append((dress(first, rng), dress(second, rng), label, kind))
    rng.shuffle(rows)
    return rows


def write(path, rows):
    """Write the rows as UTF-8 TSV with LF, on every system."""
    lines = ["text_a\ttext_b\tlabel\ts_label"]
    lines += ["\t".join(map(str, row)) for row in rows]
    path.write_bytes(("\n".join(lines) + "\n").encode("utf-8"))


def describe(path, rows):
    """One line: how many rows there are of each s_label and label."""
    counts = []
    for kind in sorted({row[3] for row in rows}):
        labels = [row[2] for row in rows if row[3] == kind]
        counts.append(f"s_label {kind}: {len(labels)} (label 0: {labels.count(0)}, 1: {labels.count(1)})")
    return f"{path.name}: {len(rows)} rows; " + "; ".join(counts)


def main():
    """Write both files next to this script; no pair is in both."""
    rng, seen = random.Random(SEED), set()
    for name, counts in FILES.items():
        path, rows = Path(__file__).with_name(name), make_rows(counts, rng, seen)
        write(path, rows)
        print(describe(path, rows))


if __name__ == "__main__":
    main()
