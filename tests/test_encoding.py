"""Texts become the same numbers as by PaddleNLP's tokenizer, which is asked once a character and word."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datamap.data.dataset import TextDataset
from datamap.paddle_backend import modeling, word_pieces
from datamap.paddle_backend.classifier import Classifier
from datamap.paddle_backend.encoding import encode
from datamap.paddle_backend.framework import transformers

HOSTILE = [
    "怎么用Vivo X9", "ｆｕｌｌ　ｗｉｄｔｈ１２３，。！", "naïve café Ångström É", "e\u0301e\u0323\u0307",
    "İstanbul ΣΑΣ ς", "😀👨‍👩‍👧 a😀b", "(⊙o⊙)￥5 ≥3 ℃ ½ ² ª º ŋ", "각 ᄀ\u302e\u302f한글",
    "a\u00adb\u200bc\ufeffd\u2028e\u00a0f\u3000g\x00h\x1ci\tj\nk\r\x85l", "\U0001d15e\U0001d165\U0001d16d",
    "[SEP] 怎么[MASK]么[unk] [sep]x", "привет мир Ё", "a" * 101, "怎" * 150, "", " ", "\ufffd", "𠀀𪜀豈㐀",
    "don't stop-me now...", "〇○々ーぁァ", "हिन्दी नमस्ते", "ا\u064bل", "ŉ ﬀ Ⅻ ǆ", "\u0130\u0307", "#1 ##x", "\ud800x",
]  # fmt: skip
PIECES = [
    *(
        [
            "un",
            "##aff",
            "##able",
            "don",
            "stop",
            "caf",
            "##e",
            "full",
            "##width",
            "X",
            "É",
            "vivo",
            "怎",
            "##么",
        ]
    ),
    *(["ᄀ", "##ᅡ", "и", "##и", "ς", "##ς", "σ"]),
]


def tokenizers(folder):
    """A name and a tokenizer, of each kind that there is."""
    pieces = [*modeling.SPECIAL_TOKENS, *PIECES, *"abcdefghijklmnopqrstuvwxyz怎么用换手机1239,.!?￥😀가"]
    pieces += [f"##{c}" for c in "abcdefgilnorstuvxy129么"]
    file = folder / "vocab.txt"
    file.write_text("\n".join(pieces) + "\n", encoding="utf-8")
    yield "characters", modeling.character_tokenizer([text for text in HOSTILE if text != "\ud800x"])
    yield "ernie", transformers.ErnieTokenizer(str(file))
    yield "bert", transformers.BertTokenizer(str(file))
    yield "bert, cased", transformers.BertTokenizer(str(file), do_lower_case=False)
    yield "bert, cased, no accents", transformers.BertTokenizer(str(file), False, strip_accents=True)
    yield "bert, Chinese in words", transformers.BertTokenizer(str(file), tokenize_chinese_chars=False)
    added = transformers.BertTokenizer(str(file))
    added.add_tokens(["<number>", "Vivo X9"])
    yield "bert, more tokens", added


@pytest.fixture(scope="module")
def all_tokenizers(tmp_path_factory):
    return dict(tokenizers(tmp_path_factory.mktemp("vocabulary")))


def theirs(tokenizer, text):
    return tokenizer.convert_tokens_to_ids(tokenizer.tokenize(text))


def test_every_kind_is_fast(all_tokenizers):
    assert all(map(word_pieces.supports, all_tokenizers.values()))


def test_every_text_has_the_tokenizers_numbers(all_tokenizers):
    for name, tokenizer in all_tokenizers.items():
        ours = word_pieces.WordPieces(tokenizer)
        for text in [*HOSTILE, "".join(HOSTILE), "怎<Number>么 vivo x9"]:
            assert ours.ids(text) == theirs(tokenizer, text), (name, text)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=st.text(st.one_of(st.characters(), st.sampled_from("".join(HOSTILE)))))
def test_any_text_has_the_tokenizers_numbers(all_tokenizers, text):
    for name, tokenizer in all_tokenizers.items():
        assert word_pieces.WordPieces(tokenizer).ids(text) == theirs(tokenizer, text), name


class Model:
    config = SimpleNamespace(
        max_position_embeddings=64, pad_token_id=0, model_type="bert", vocab_size=10**6, type_vocab_size=2
    )


@pytest.mark.filterwarnings("ignore:Be aware, overflowing tokens:UserWarning")  # of theirs
@pytest.mark.parametrize("max_length", [4, 5, 8, 9, 64])
@pytest.mark.parametrize("paired", [True, False])
def test_texts_are_cut_and_framed_as_by_the_tokenizer(all_tokenizers, max_length, paired):
    texts = ["怎么用", "", "a b c d e f", "怎么用换手机1239", "怎", "ab" * 40]
    pairs = [(a, b if paired else None) for a in texts for b in texts]
    rows, zeros = list(range(len(pairs))), np.zeros(len(pairs), int)
    firsts, seconds = [a for a, _ in pairs], [b for _, b in pairs] if paired else None
    samples = TextDataset(
        path="none", ids=rows, texts_a=firsts, texts_b=seconds, labels=zeros, planted=zeros, class_names=("0", "1"),
        lines=rows,
    )  # fmt: skip
    for name, tokenizer in all_tokenizers.items():
        tokens = encode(Classifier(Model, tokenizer), samples, max_length)
        for row, (a, b) in enumerate(pairs):
            found = tokenizer(a, b, max_length=max_length, truncation=True)
            place = slice(tokens.starts[row], tokens.starts[row] + tokens.lengths[row])
            assert tokens.ids[place].tolist() == found["input_ids"], (name, a, b)
            assert tokens.segments[place].tolist() == found["token_type_ids"], (name, a, b)


def test_what_is_remembered_is_bounded(all_tokenizers, monkeypatch):
    monkeypatch.setattr(word_pieces, "MAX_WORDS", 3)
    ours = word_pieces.WordPieces(all_tokenizers["ernie"])
    text = "怎 么 用 换 手 机 怎"
    assert ours.ids(text) == theirs(all_tokenizers["ernie"], text)
    assert len(ours.words) <= 3
