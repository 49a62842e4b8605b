"""Make demo.tsv and demo_dev.tsv: Chinese question pairs, same question (1) or not (0).

Every text is put together from the tables below with a fixed seed, by the standard library alone,
so `python data/make_demo.py` writes the same bytes each time. The column s_label says what was
planted: 0 a normal pair, 1 a hard pair with the right label, 2 a dirty pair (its label is flipped).

How to read the tables: "/" separates phrasings that mean the same, "[a|b]" is a choice of words
that changes nothing, "[怎么]" is a choice from WORDS, and X, Y, Z are filled in from the row's fills.
"""

import random
import re
from pathlib import Path

SEED = 20240607
NORMAL, HARD, DIRTY = 0, 1, 2
COMMON = 0.975  # share of normal pairs made the usual way
FILES = {  # rows of each kind; half of each carry label 1
    "demo.tsv": {NORMAL: 1200, HARD: 150, DIRTY: 150},
    "demo_dev.tsv": {NORMAL: 270, HARD: 30},
}

WORDS = {
    "怎么": "怎么|怎么|如何|怎样|该怎么|咋",
    "为什么": "为什么|为啥|怎么",
    "怎么办": "怎么办|该怎么办|咋办",
    "要": "要|需要",
    "能": "能|可以",
    "能不能": "能不能|可不可以",
    "哪里": "哪里|哪儿|什么地方",
    "什么": "什么|哪些",
}
OPENINGS = ["请问", "请问一下，", "想问一下，", "我想知道", "你好，", "求助，"]
ENDINGS = ["？", "？", "？", "?", "？？", "，谢谢"]

PHONES = "华为手机|小米手机|苹果手机|三星手机|荣耀手机|红米手机"
APPS = "微信|支付宝|抖音|淘宝|微博|知乎|快手"
BANKS = "工商银行|建设银行|农业银行|招商银行|交通银行|浦发银行"
CITIES = "西安|成都|厦门|桂林|青岛|哈尔滨|杭州|三亚"
DISHES = "红烧肉|糖醋排骨|宫保鸡丁|麻婆豆腐|酸菜鱼|鱼香肉丝|可乐鸡翅"
FOODS = "螃蟹|芒果|香蕉|榴莲|西瓜|山药|菠菜|核桃"
ILLNESSES = "感冒|咳嗽|失眠|口腔溃疡|湿疹|胃炎|鼻炎|痛风"
EXAMS = "英语四级|英语六级|教师资格证|初级会计|注册会计师|计算机二级"
GAMES = "王者荣耀|英雄联盟|穿越火线|梦幻西游|和平精英|阴阳师"
PETS = "金毛|泰迪|哈士奇|柯基|布偶猫|橘猫|博美"
JOBS = "会计|律师|程序员|护士|快递员|空姐|导游"
APPLIANCES = "洗衣机|空调|冰箱|热水器|油烟机|微波炉"
PAPERS = "身份证|护照|居住证|社保卡|驾驶证|健康证"
COURIERS = "顺丰快递|圆通快递|中通快递|韵达快递|京东快递"

# Normal pairs. A topic: what X may be, then its main questions, then its near misses, one a line.
# A positive asks one main question twice; a negative mostly asks a main question and a near miss.
# 1,500 rows cannot teach a small model to compare any two questions, but they can teach this.
TOPICS = [
    (
        PHONES,
        [
            "X[怎么]截屏/X[怎么]截图/[怎么]用X截图/X截屏[怎么][弄|操作]",
            "X[怎么][连接|连]电脑/[怎么]把X连到电脑上/X和电脑[怎么]连接",
        ],
        [
            "X多少钱一[部|台]/买一[部|台]X[要]多少钱/X的[价格|价钱]是多少/X一[部|台]卖多少钱",
            "X防水吗/X[能]防水吗/X[能不能]防水/X是防水的吗",
        ],
    ),
    (
        APPS,
        [
            "X[怎么][修改|改]密码/X的密码[怎么][改|修改]/[怎么][修改|更改]X的登录密码/想改X密码[怎么]改",
            "X账号[怎么]注销/[怎么]注销X[账号|号]/X号不想要了[怎么]注销/注销X账号[怎么][弄|操作]",
        ],
        [
            "X[收费吗|收不收费]/用X[要]花钱吗/用X[要不要钱|收不收费]",
            "[多少岁|几岁][能]注册X/注册X要满[多少岁|几岁]/X[多少岁|几岁][能]注册",
        ],
    ),
    (
        BANKS,
        [
            "X信用卡[怎么][申请|办理]/[怎么][申请|办理]X的信用卡/想办一张X的信用卡[怎么]申请",
            "X[怎么]开通[网银|网上银行]/[怎么]开通X的[网银|网上银行]/X的[网银|网上银行][怎么]开通",
        ],
        [
            "X周末[上班|营业|开门]吗/周末X[有人上班|营业|开门]吗/周末的时候X[上班|营业]吗",
            "X定期[利息|利率]是多少/在X存定期[利息|利率][是多少|有多少]/钱存在X，定期[利息|利率]是多少",
        ],
    ),
    (
        CITIES,
        [
            "X有[什么]好玩的地方/X[哪里]好玩/去X[旅游|玩]有[什么]景点值得去/X[值得去|必去]的景点有哪些",
            "X有[什么]特产/X的[特产|土特产][是什么|有哪些]/X有[什么]土特产[值得买|可以带]",
        ],
        [
            "去X[玩|旅游]几天[合适|比较好]/X旅游[要]几天/去X玩多少天[好|合适]/在X玩几天[够|合适]",
            "X的房价是多少/X[现在|]房价多少钱一平/X的房子多少钱一平/在X买房一平[要]多少钱",
        ],
    ),
    (
        DISHES,
        [
            "X[怎么]做/X的[做法|家常做法]是什么/[怎么]做X[好吃|才好吃]/在家[怎么]做X",
            "做X[要]用[什么][食材|材料]/X的[材料|食材]有哪些/做X[要]准备[什么][材料|食材]",
        ],
        [
            "X的热量是多少/一份X有多少热量/X有多少卡路里/一份X的热量[大概是|是]多少",
            "隔夜的X[还能|能]吃吗/X放一晚上[还能|能]吃吗/X隔夜了还[能]吃吗/隔夜的X[能不能]吃",
        ],
    ),
    (
        FOODS,
        [
            "X[怎么]保存/[怎么]保存X/X买多了[怎么][保存|存放]/X[怎么]存放不容易坏",
            "X[怎么][挑|选|挑选]/[怎么][挑|选|挑选]X/买X[怎么][挑|选]/[怎么]挑到好的X",
        ],
        [
            "孕妇[能]吃X吗/孕妇[能不能]吃X/怀孕期间[能]吃X吗/怀孕的时候[能不能]吃X",
            "X多少钱一斤/一斤X[要|卖]多少钱/X一斤[要|卖]多少钱/现在X多少钱一斤",
        ],
    ),
    (
        ILLNESSES,
        [
            "X吃什么药[好|管用]/X[应该|该]吃[什么|哪种]药/治X吃什么药[好|管用]/治疗X用什么药[好|管用]",
            "X[应该|该|要]挂什么科/X去医院挂[什么|哪个]科/看X[要|该]挂[什么|哪个]科",
        ],
        [
            "X[多久|多长时间]能好/X[要]多久才能好/X一般[多久|多长时间]能[好|恢复]",
            "X[能]喝酒吗/X[能不能]喝酒/X的时候[能]喝酒吗/X期间[能不能]喝酒",
        ],
    ),
    (
        EXAMS,
        [
            "X成绩在[哪里|哪儿]查/去[哪里|哪儿]查X的成绩/X的成绩[在哪里|去哪个网站]查",
            "X考[些什么|什么内容]/X考试考[什么]内容/X的考试内容[是什么|有哪些]/X考试都考什么",
        ],
        [
            "X考试难[吗|不难]/考X难[吗|不难]/X难不难考/X好考吗",
            "考X[要]准备多久/X[要][复习|准备][多长时间|多久]/备考X[要][多长时间|多久]",
        ],
    ),
    (
        GAMES,
        [
            "X[怎么]改[名字|名]/X的名字[怎么][改|修改]/[怎么][修改|改]X里的名字/X里想换个名字[怎么]弄",
            "X防沉迷[怎么][解除|取消]/[怎么][解除|取消]X的防沉迷/X的防沉迷[怎么][解除|取消]",
        ],
        [
            "玩X一个小时[要]多少流量/X一个小时[要]多少流量/玩X一小时[要用|会用]多少流量",
            "玩X[能]赚钱吗/X[能不能]赚钱/靠玩X[能]赚钱吗/玩X[能不能]挣钱",
        ],
    ),
    (
        PETS,
        [
            "[怎么][训练|教]X定点[上厕所|大小便]/X[怎么]训练定点[上厕所|大小便]/[怎么]让X定点[上厕所|大小便]",
            "X[要]打[什么]疫苗/养X[要]打[什么]疫苗/X要打的疫苗有哪些/给X打[什么]疫苗",
        ],
        [
            "一只X[多少钱|要多少钱]/买一只X[要]多少钱/X多少钱一只/X一只卖多少钱",
            "X掉毛吗/X会掉毛吗/X[掉不掉毛|会不会掉毛]/养的X会掉毛吗",
        ],
    ),
    (
        JOBS,
        [
            "[做|当]X[要]什么条件/成为X[要]什么条件/[做|当]X[要]具备[什么]条件/想[做|当]X[要]什么条件",
            "X面试[一般|都]问什么/面试X[一般|都]会问[什么]问题/X面试会问[什么]问题/去面试X会被问什么",
        ],
        [
            "X一个月[多少工资|工资多少]/X的[工资|月薪][是多少|大概多少]/[做|当]X一个月[能][挣|赚]多少钱",
            "[做|当]X累[吗|不累]/[做|当]X[辛苦吗|辛不辛苦]/X这份工作[累吗|辛苦吗|累不累]",
        ],
    ),
    (
        APPLIANCES,
        [
            "X[怎么][清洗|清洁]/[怎么][清洗|清洁]X/X脏了[怎么][清洗|清洁]/家里的X[怎么][清洗|清洁]",
            "X[什么|哪个]牌子好/买X[什么|哪个]牌子好/[什么|哪个]牌子的X[好|质量好]/X哪个品牌[好|质量好]",
        ],
        [
            "X[耗电|费电]吗/X费不费电/用X[费电|耗电]吗/家里用X[费电|耗电]吗",
            "X[能]用[几年|多少年]/X的使用寿命是[几年|多少年]/一台X[一般能|能]用[多久|几年]",
        ],
    ),
]

# Hard negatives: X and Y change places in the second question (a direction, a role, an opposite).
# A row: the "x,y" pairs, what Z may be, the phrasings.
ROUTES = "北京,上海|广州,武汉|南京,郑州|天津,济南|上海,南京|武汉,北京|郑州,济南|广州,天津"
OPPOSITES = [
    (ROUTES, "", "从X到Y[怎么]坐车/X到Y[怎么]坐车/从X去Y[怎么]坐车/从X到Y坐什么车"),
    ("微信,银行卡|支付宝,银行卡|支付宝,微信", "", "X的钱[怎么]转到Y里/[怎么]把X里的钱转到Y"),
    ("手机,电脑|相机,手机|平板,电脑", "照片|视频|文件", "Z[怎么]从X传到Y/[怎么]把X上的Z传到Y上"),
    ("英语,中文|日语,中文|韩语,英语|法语,中文", "", "把X翻译成Y用什么软件/用什么软件[能]把X翻译成Y"),
    ("美元,人民币|欧元,人民币|日元,港币|英镑,欧元", "", "X[怎么]换成Y/[怎么]用X换Y"),
    ("我,朋友|我,同事|我,亲戚|我,邻居", "", "X借了Y的钱还不上[怎么办]/X欠Y的钱还不上[怎么办]"),
    ("老板,员工|老师,学生|老公,老婆|婆婆,儿媳", "", "X[总是|老是]误会Y[怎么办]/X总爱误会Y[怎么办]"),
    ("打开,关闭|开启,关闭", "手机定位|飞行模式|深色模式|指纹解锁", "[怎么]XZ/Z[怎么]X/想XZ[怎么][弄|操作]"),
    ("增肥,减肥", "男生|女生|学生|中年人|上班族", "Z[怎么]X最快/Z[怎么]才能快速X"),
    ("入职,离职|入学,退学|住院,出院|结婚,离婚|开户,销户", "", "X[要]办[什么]手续/办理X[要][什么]手续"),
    ("买,卖", "二手车|二手房|黄金|基金|股票", "XZ要注意[什么]问题/XZ有[什么]注意事项"),
    ("可以,不可以", "献血|坐飞机|游泳|喝咖啡|打疫苗", "什么人XZ/哪些人XZ"),
    ("三天,五天|两天,四天", CITIES, "去Z玩X[怎么]安排/X时间[怎么]玩Z"),
    ("大,小", "鞋子|衣服|裤子|戒指|帽子", "Z买X了[怎么办]/网上买的ZX了[怎么办]"),
    ("咸,淡", "红烧肉|鸡汤|饺子馅|凉菜", "Z做X了[怎么]补救/Z太X了[怎么]补救"),
]

# Hard positives: X and Y are two names of one thing; the first question says X, the second Y.
VEGETABLES = "西红柿,番茄|土豆,马铃薯|红薯,地瓜|猕猴桃,奇异果|玉米,苞米|圆白菜,卷心菜|香菜,芫荽"
SYMPTOMS = "伤风,感冒|拉肚子,腹泻|脚气,足癣|中风,脑卒中|发烧,发热|牙疼,牙痛"
NICKNAMES = "哈尔滨,冰城|重庆,山城|成都,蓉城|昆明,春城|广州,羊城|济南,泉城"
SYNONYMS = [
    (VEGETABLES, "", "孕妇[能]吃X吗/孕妇[能不能]吃X/怀孕期间[能]吃X吗"),
    (VEGETABLES, "", "X多少钱一斤/一斤X[要|卖]多少钱/现在X多少钱一斤"),
    (SYMPTOMS, "", "X[多久|多长时间]能好/X[要]多久才能好"),
    (NICKNAMES, "", "去X[玩|旅游]几天[合适|比较好]/X旅游[要]几天"),
    (
        "医生,大夫|司机,驾驶员|空姐,空中乘务员|营业员,售货员|程序员,码农",
        "",
        "X一个月[多少工资|工资多少]/当X一个月[能][挣|赚]多少钱",
    ),
]

# Hard positives: two ways to ask one thing that share few characters.
RECASTS = [
    (PHONES, "X[能]用几年", "一部X的使用寿命有多长"),
    (APPS, "X[为什么]老是闪退", "打开X总是自动退出来是什么原因"),
    (BANKS, "X几点[下班|关门]", "X每天营业到什么时候"),
    (CITIES, "去X[玩|旅游]一趟[要]花多少钱", "X旅行的预算[大概|一般]是多少"),
    (CITIES, "X冬天[冷吗|冷不冷]", "X十二月份的气温[很低吗|低不低]"),
    (DISHES, "吃X会[长胖|发胖]吗", "经常吃X体重会增加吗"),
    (EXAMS, "X一年考几次", "每年有几回X的考试机会"),
    (GAMES, "X[免费吗|是免费的吗]", "玩X[要]花钱吗"),
    (PETS, "X好不好养", "养一只X麻烦吗"),
    (JOBS, "X好找工作吗", "现在[做|当]X的就业形势好不好"),
    (APPLIANCES, "X声音大不大", "家里的X用起来吵吗"),
    (PAPERS, "X过期了还能用吗", "有效期过了的X还管用吗"),
    (COURIERS, "X[周末|双休日]送货吗", "星期六和星期天X派不派件"),
]


def split_fills(fills):
    """Read "a,b|c,d" as the tuples (a, b), (c, d)."""
    return [tuple(fill.split(",")) for fill in fills.split("|")]


def say(phrasing, fill, rng):
    """Make one question of a phrasing: choose its words, then fill in X, Y, Z."""

    def choose(match):
        return rng.choice(WORDS.get(match[1], match[1]).split("|"))

    text = re.sub(r"\[(.*?)\]", choose, phrasing)
    for slot, value in zip("XYZ", fill, strict=False):
        text = text.replace(slot, value)
    return text


def normal_positive(rng, common):
    """A main question in two phrasings; seldom one that the hard negatives turn round."""
    if rng.random() > common:
        return exchanged(OPPOSITES, rng, swap=False)
    fills, main, _ = rng.choice(TOPICS)
    fill, phrasings = rng.choice(split_fills(fills)), rng.choice(main).split("/")
    return tuple(say(phrasing, fill, rng) for phrasing in rng.sample(phrasings, 2))


def normal_negative(rng, common):
    """A main question and a near miss, at times of another thing; seldom nothing but that."""
    fills, main, misses = rng.choice(TOPICS)
    question, fill = rng.choice(main), rng.choice(split_fills(fills))
    other, other_fill = rng.choice(misses), fill
    if rng.random() > common:
        other = question
    if other == question or rng.random() < 0.25:
        other_fill = rng.choice([thing for thing in split_fills(fills) if thing != fill])
    pair = [
        say(rng.choice(question.split("/")), fill, rng),
        say(rng.choice(other.split("/")), other_fill, rng),
    ]
    rng.shuffle(pair)
    return tuple(pair)


def exchanged(table, rng, swap=True):
    """Two questions of one row, X and Y changing places in the second (or staying there)."""
    pairs, others, phrasings = rng.choice(table)
    (x, y), z = rng.choice(split_fills(pairs)), rng.choice(others.split("|"))
    if rng.random() < 0.5:
        x, y = y, x
    first, second = rng.choice(phrasings.split("/")), rng.choice(phrasings.split("/"))
    return say(first, (x, y, z), rng), say(second, (y, x, z) if swap else (x, y, z), rng)


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
        # A flipped exception would look right to a model: only the common ones get dirty.
        common = COMMON if kind == NORMAL else 1
        return normal_positive(rng, common) if same else normal_negative(rng, common)
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
        zeros, ones = labels.count(0), labels.count(1)
        counts.append(f"s_label {kind}: {len(labels)} (label 0: {zeros}, 1: {ones})")
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
