"""Make demo_tokens*.conll (named entities) and demo_multilabel*.tsv (topics of reviews), in Chinese.

Every text is put together from the tables below with a fixed seed, by the standard library alone, so
`python data/make_demo_units.py` writes the same bytes each time. Errors are planted as annotators make them:

- tokens: an entity's border is one character off, its type is another one, it is missed, or a word that is no entity is
  marked as one. The second column is 2 at each character whose tag is wrong, else 0.
- multilabel: topics are missed, seldom added. The column s_label names the topics whose value is wrong.

Names of people are put together from common syllables; companies, except the well-known places, are made up.
"""

import random
from pathlib import Path

SEED = 20261127
TOKEN_FILES = {
    "demo_tokens.conll": (700, 0.08),
    "demo_tokens_dev.conll": (150, 0.0),
}  # sentences, share of errors
LABEL_FILES = {"demo_multilabel.tsv": (1500, 0.08), "demo_multilabel_dev.tsv": (200, 0.0)}
ADDED = 0.01  # share of the topics that a text does not have, which are added where errors are planted
INVENTED = 0.04  # share of the sentences in which a word that is no entity is marked

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧"
GIVEN = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国红梅志远晓东海燕文博雨欣子涵"
PLACES = (
    "北京|上海|广州|深圳|杭州|南京|成都|武汉|西安|重庆|天津|苏州|青岛|大连|厦门|昆明|长沙|郑州|哈尔滨|乌鲁木齐|"
    "呼和浩特|石家庄|云南|四川|浙江|江苏|广东|福建|内蒙古|黑龙江|长江|黄河|泰山|西湖|太湖|海南岛"
)
STEMS = "华信|天海|远大|东升|金桥|新元|蓝湾|星河|博雅|中创|长风|瑞安|恒通|启明|安泰|德源"
KINDS = "科技公司|集团|银行|大学|医院|出版社|研究院|汽车厂|证券公司|足球俱乐部"
COMMON = "记者|市民|同学|老师|经理|专家|市场|公司|医生|学校|周末|春天|火车站|图书馆|项目|新闻"

SENTENCES = """
{PER}昨天从{LOC}回到了{LOC}
{PER}是{ORG}的一名工程师
{ORG}宣布将在{LOC}设立新的分部
记者{PER}在{LOC}报道
{ORG}的负责人{PER}表示今年的销售额会继续增长
这个周末我想和{PER}一起去{LOC}看看
{LOC}的春天比{LOC}来得早一些
{PER}毕业于{ORG}，现在在{LOC}工作
据{ORG}介绍，新产品下个月上市
在{LOC}举行的会议上，{PER}和{PER}先后发言
他把这本书寄给了住在{LOC}的{PER}
{ORG}与{ORG}签署了合作协议
听说{PER}要去{ORG}当经理了
从{LOC}坐火车到{LOC}要五个小时
{PER}的新书由{ORG}出版
市民对{LOC}的交通提出了建议
今天天气很好，同学们在图书馆看书
老师说明天的课改到周末
这家公司的项目还没有完成
{LOC}市场上的水果价格下降了
{PER}医生在{ORG}工作了二十年
专家认为{LOC}的水质有所改善
""".strip().splitlines()

CLAUSES = {
    "物流": "快递很快|两天就到了|送货速度太慢|等了一周才收到|快递员态度不好|发货及时|配送准时|路上耽搁了好几天",
    "价格": "价格实惠|性价比高|有点贵|比实体店便宜|不值这个钱|活动价很划算|刚买就降价了|这个价位很合适|便宜又好用",
    "质量": "质量很好|用了几天就坏了|做工精细|有一股异味|很结实|材质一般|洗了一次就褪色|手感不错|细节粗糙",
    "服务": "客服很耐心|售后态度差|问了半天没人回复|客服解决得很快|退货很麻烦|卖家很热情|换货很顺利|商家不理人",
    "包装": "包装完好|盒子都压扁了|包装很用心|外包装破了|里三层外三层包得严实|封口没有贴好|礼盒很漂亮",
    "外观": "颜色好看|款式新颖|和图片有色差|样子普通|设计很大方|外形小巧|颜色比想象的深|造型很可爱",
    "尺寸": "大小合适|尺码偏小|买大了一号|长度刚刚好|有点紧|尺寸和描述一致|腰围偏大|鞋子挤脚",
    "推荐": "推荐购买|会再来买|不建议买|下次还来|已经介绍给朋友了|不会再买第二次|值得入手|全家都喜欢",
}
FILLERS = (
    "收到了|第一次在这家买|给妈妈买的|用了一个星期来评价|总的来说还行|先用用看|替同事买的|双十一买的|追评"
)
JOINS = "，。；，，"


def tagged(pieces):
    """Characters and tags of [(text, entity type or None), …]."""
    characters, tags = [], []
    for text, kind in pieces:
        characters += text
        tags += [f"{'B' if not place else 'I'}-{kind}" if kind else "O" for place in range(len(text))]
    return characters, tags


def entity(kind, rng):
    """The name of a person, a place or an organization."""
    if kind == "PER":
        return rng.choice(SURNAMES) + "".join(rng.sample(GIVEN, rng.choice((1, 2, 2))))
    if kind == "LOC":
        return rng.choice(PLACES.split("|"))
    city = rng.choice(PLACES.split("|")[:20]) if rng.random() < 0.3 else ""
    return city + rng.choice(STEMS.split("|")) + rng.choice(KINDS.split("|"))


def sentence(rng):
    """[(text, entity type or None), …] of a sentence."""
    pieces, rest = [], rng.choice(SENTENCES)
    while "{" in rest:
        before, _, rest = rest.partition("{")
        kind, _, rest = rest.partition("}")
        pieces += [(before, None)] * bool(before) + [(entity(kind, rng), kind)]
    return pieces + [(rest + rng.choice("。。！"), None)]


def spans(tags):
    """[(start, end, type)] of the entities."""
    found = []
    for place, tag in enumerate(tags):
        if tag[0] == "B":
            found.append([place, place + 1, tag[2:]])
        elif tag[0] == "I":
            found[-1][1] = place + 1
    return [tuple(span) for span in found]


def marked(tags, span):
    """The tags with one more entity."""
    start, end, kind = span
    return [*tags[:start], f"B-{kind}", *[f"I-{kind}"] * (end - start - 1), *tags[end:]]


def moved(span, tags, rng):
    """An entity with one border a character off, or None where there is no room."""
    start, end, kind = span
    choices = [(start + 1, end), (start, end - 1)] if end - start > 1 else []
    if end < len(tags) - 1 and tags[end] == "O":
        choices.append((start, end + 1))
    if start and tags[start - 1] == "O":
        choices.append((start - 1, end))
    return (*rng.choice(choices), kind) if choices else None


def with_error(tags, span, rng):
    """(the tags with an error of an annotator at an entity, the error's name)."""
    start, end, kind = span
    without = [*tags[:start], *["O"] * (end - start), *tags[end:]]
    error = rng.choice(("missed", "missed", "border", "border", "type"))
    if error == "type":
        return marked(without, (start, end, rng.choice(sorted({"PER", "LOC", "ORG"} - {kind})))), error
    other = moved(span, tags, rng) if error == "border" else None
    return (marked(without, other), error) if other else (without, "missed")


def invented(characters, tags, rng):
    """(the tags with a word that is no entity marked as one, True), or the tags and False."""
    text = "".join(characters)
    words = [
        word
        for word in COMMON.split("|")
        if word in text and set(tags[text.index(word) :][: len(word)]) == {"O"}
    ]
    if not words:
        return tags, False
    word = rng.choice(words)
    return marked(tags, (text.index(word), text.index(word) + len(word), rng.choice(("LOC", "ORG")))), True


def annotated(share, rng):
    """(characters, right tags, given tags, names of the errors) of a sentence."""
    characters, right = tagged(sentence(rng))
    given, errors = right, []
    for span in reversed(spans(right)):
        if rng.random() < share:
            given, error = with_error(given, span, rng)
            errors.append(error)
    if share and rng.random() < INVENTED:
        given, done = invented(characters, given, rng)
        errors += ["invented"] * done
    return characters, right, given, errors


def write_tokens(path, count, share, rng, seen):
    """Write sentences as CoNLL: character, planted kind and tag, divided by tabs."""
    lines, planted = [], []
    while count:
        characters, right, given, errors = annotated(share, rng)
        if "".join(characters) in seen:
            continue
        seen.add("".join(characters))
        lines += [f"# errors = {' '.join(errors)}"] * bool(errors)
        lines += [f"{c}\t{2 * (t != g)}\t{g}" for c, t, g in zip(characters, right, given, strict=True)]
        lines.append("")
        planted += errors
        count -= 1
    path.write_bytes(("\n".join(lines)).encode("utf-8"))
    kinds = ", ".join(f"{planted.count(kind)} {kind}" for kind in ("border", "type", "missed", "invented"))
    print(f"{path.name}: {sum(line == '' for line in lines)} sentences; errors: {kinds}")


def review(rng):
    """(text, topics) of a review."""
    topics = rng.sample(sorted(CLAUSES), rng.choices((0, 1, 2, 3, 4), (1, 5, 6, 4, 1))[0])
    clauses = [rng.choice(CLAUSES[topic].split("|")) for topic in topics]
    clauses += [rng.choice(FILLERS.split("|"))] * (not topics or rng.random() < 0.4)
    rng.shuffle(clauses)
    text = "".join(clause + rng.choice(JOINS) for clause in clauses[:-1]) + clauses[-1]
    return text, [topic for topic in CLAUSES if topic in topics]


def write_labels(path, count, share, rng, seen):
    """Write reviews: text, topics as given, and the topics whose value is wrong."""
    lines, missed, added = ["text_a\tlabel\ts_label"], 0, 0
    while count:
        text, topics = review(rng)
        if text in seen:
            continue
        seen.add(text)
        wrong = [t for t in CLAUSES if rng.random() < (share if t in topics else ADDED * bool(share))]
        given = [topic for topic in CLAUSES if (topic in topics) != (topic in wrong)]
        missed += len(set(wrong) & set(topics))
        added += len(set(wrong) - set(topics))
        lines.append(f"{text}\t{'|'.join(given)}\t{'|'.join(wrong)}")
        count -= 1
    path.write_bytes(("\n".join(lines) + "\n").encode("utf-8"))
    print(f"{path.name}: {len(lines) - 1} texts, {missed} topics missed, {added} added")


def main():
    """Write the files next to this script; no sentence is in two of them."""
    for files, write in ((TOKEN_FILES, write_tokens), (LABEL_FILES, write_labels)):
        rng, seen = random.Random(SEED), set()
        for name, (count, share) in files.items():
            write(Path(__file__).with_name(name), count, share, rng, seen)


if __name__ == "__main__":
    main()
