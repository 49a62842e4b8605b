"""Recognize names of columns, also as Excel, annotation tools and Chinese teams write them."""

import unicodedata
from collections.abc import Collection, Sequence

COLUMNS = ("text_a", "text_b", "label", "s_label", "id")
ALIASES = {
    "text_a": "text text1 text_1 texta sentence sentence1 sentence_1 sentence_a question1 premise content review "
    "文本 文本1 文本一 文本a 文本内容 句子 句子1 句子一 句子a 问题1 内容 正文 评论 评论内容",
    "text_b": "text2 text_2 textb sentence2 sentence_2 sentence_b question2 hypothesis "
    "文本2 文本二 文本b 句子2 句子二 句子b 问题2",
    "label": "labels class category 标签 类别 分类 标注 情感 情感倾向 情感标签",
}
# Of sequences of tokens: several of these may be there, and the first one counts.
OF_TOKENS = {
    "text_a": "tokens words text_a text chars token word 字 词 文本",
    "label": "tags label labels ner_tags ner bio_tags pos_tags tag 标签 标注",
}
KNOWN = {alias: name for name, aliases in ALIASES.items() for alias in aliases.split()}


def plain(word: str) -> str:
    r"""Return a word without differences in width, case, blanks and invisible characters.

    >>> plain(" Ｔext\ufeff A")
    'text_a'
    """
    visible = "".join(c for c in unicodedata.normalize("NFKC", word) if unicodedata.category(c) != "Cf")
    return "_".join(visible.casefold().split())


def positions(name: str, header: Sequence[str]) -> list[int]:
    """Find a column of `COLUMNS`: by its exact name, else ignoring case and width, else by an alias."""
    words = [plain(cell) for cell in header]
    exact = [n for n, cell in enumerate(header) if cell == name]
    alike = [n for n, word in enumerate(words) if word == name]
    return exact or alike or [n for n, word in enumerate(words) if KNOWN.get(word) == name]


def token_positions(name: str, header: Sequence[str]) -> list[int]:
    """Find a column of `COLUMNS` in a file of tokens: the first one of `OF_TOKENS`.

    >>> token_positions("label", ["tokens", "pos_tags", "ner_tags"])
    [2]
    """
    words = [plain(cell) for cell in header]
    wanted = OF_TOKENS.get(name, name).split()
    return [words.index(alias) for alias in wanted if alias in words][:1]


def is_header(cells: Sequence[str], known: Collection[str]) -> bool:
    """Tell whether a row names columns: one by its exact name, or a text and a label by similar names or aliases."""
    return not {*COLUMNS, *known}.isdisjoint(cells) or is_alias_header(cells)


def is_alias_header(cells: Sequence[str]) -> bool:
    """Tell whether a row names both a text and a label."""
    return bool(positions("text_a", cells) and positions("label", cells))
