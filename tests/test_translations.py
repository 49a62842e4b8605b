"""English and Chinese: each sentence has its Chinese, each Chinese sentence is used, and both have the same fields."""

import ast
import re
import string

import pytest
import yaml

from conftest import ROOT
from datamap import translations
from datamap.maps import groups, meanings, regions
from datamap.tracking import descriptions

PACKAGE = ROOT / "src" / "datamap"
CATALOG = PACKAGE / "translations" / "zh.yaml"
CHINESE = translations.chinese("shown", "lines")
SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent.name != "translations"]
PAGES = [PACKAGE / "web/scripts/fold.js"] + sorted(
    path
    for folder in ("review/page", "maps/explorer_page")
    for path in (PACKAGE / folder).iterdir()
    if path.suffix in (".js", ".html")
)
SPEAKING = {"say": 0, "translate": 0, "word": 0, "Phrase": 0}  # function of ours: place of its template
# Templates that are one thing in every language: numbers, names, and what was said by others.
BARE = re.compile(r"[\W\d]*(\{[^}]*\}[\W\d]*)*")
MARKUP = {"texts pair", "muted range-of", "chip given", "chip proposed"}  # names of CSS classes
JS_TEXT = re.compile(r'"((?:[^"\\\n]|\\.)*)"')


def constants(node, names):
    """Yield each text that an expression can be: a literal, either side of a choice, or the value of a name."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.IfExp):
        yield from constants(node.body, names)
        yield from constants(node.orelse, names)
    elif isinstance(node, ast.Name):
        yield from names.get(node.id, ())


def said(path):
    """Return the texts that a file says, translates or counts, but not those that other modules hold."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            names.setdefault(node.targets[0].id, []).extend(constants(node.value, {}))
    found = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
            continue
        if node.func.id in SPEAKING:
            found |= set(constants(node.args[0], names))
        if node.func.id in ("Amount", "amount") and len(node.args) > 1:
            found |= {f"{{total}} {thing}s" for thing in constants(node.args[1], names)}
    return {text for text in found if not BARE.fullmatch(text)}


def literals(path):
    """Return all texts that stand in a Python file, and the counted nouns of `said`."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return found | said(path)


def page_texts(path):
    """Return the texts in a script's quotation marks, or in an HTML file's data attributes."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        return set(re.findall(r'data-(?:word|label|hint)="([^"]+)"', content))
    return {text.replace('\\"', '"') for text in JS_TEXT.findall(content)}


def translated_by_page(path):
    """Return what a page translates: sentences, arguments of `tr`, and the marked texts of its HTML."""
    content = path.read_text(encoding="utf-8")
    if path.suffix == ".html":
        return page_texts(path)
    calls = re.findall(r'\btr\(\s*(?:[^()"]*\?\s*)?((?:"[^"\n]*"[\s:]*)+)', content)
    sentences = {text for text in page_texts(path) if re.search("[a-z] [a-z]", text)} - MARKUP
    return sentences | {text for call in calls for text in JS_TEXT.findall(call)}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_what_code_says_has_its_chinese(path):
    assert said(path) - set(CHINESE) == set()


def test_what_code_says_of_tables_has_its_chinese():
    tables = {
        *(rule.name for grouping in groups.GROUPINGS.values() for rule in grouping.rules),
        *meanings.MEANINGS.values(), *meanings.UNLABELED.values(), *regions.NAMES, *descriptions.FILES.values(),
    }  # fmt: skip
    assert tables - set(CHINESE) == set()


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_what_pages_say_has_its_chinese(path):
    assert translated_by_page(path) - set(CHINESE) == set()


def test_every_chinese_text_is_used():
    used = {text for path in SOURCES for text in literals(path)} | {
        text for path in PAGES for text in page_texts(path)
    }
    assert set(CHINESE) - used == set()


def test_no_text_stands_twice_in_a_part_of_the_catalog():
    keys = [
        entry[0].value for _, part in yaml.compose(CATALOG.read_text("utf-8")).value for entry in part.value
    ]
    shown = len(translations.chinese("shown"))
    assert len(set(keys[:shown])) == shown and len(set(keys[shown:])) == len(keys) - shown


def test_chinese_and_english_have_the_same_fields():
    def fields(text):
        return sorted((name, form) for _, name, form, _ in string.Formatter().parse(text) if name is not None)

    differing = {text for text, chinese in CHINESE.items() if fields(text) != fields(chinese)}
    assert differing == set()


# Half-width marks beside Chinese characters, and numbers, names or fields without a space before them, look foreign.
CHARACTER = "[一-鿿]"
IN_CHINESE = ("unit", "by", "seen", "what")  # fields whose values begin with a Chinese character


def test_chinese_has_its_own_marks_and_spaces():
    ill = re.compile(
        rf"{CHARACTER}[,;:!?(]|[,;:!?)]{CHARACTER}|{CHARACTER}[A-Za-z0-9`]|[A-Za-z0-9`]{CHARACTER}"
        rf"|{CHARACTER}{{(?!{'|'.join(IN_CHINESE)})"
    )
    assert {chinese: ill.findall(chinese) for chinese in CHINESE.values() if ill.search(chinese)} == {}
