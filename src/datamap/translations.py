"""The words on maps and in the explorer, in English and Chinese."""

LANGUAGES = ("en", "zh")

ZH = {
    # axes and columns
    "label_var  (variance of the given label's probability)": "label_var（给定标签概率的方差）",
    "avg_probs  (mean probability of the given label)": "avg_probs（给定标签概率的均值）",
    "correct_ratio": "预测正确率 correct_ratio",
    "samples": "样本数",
    "density": "密度",
    # groups
    "0 to 0.2": "0 到 0.2",
    "0.2 to 0.4": "0.2 到 0.4",
    "0.4 to 0.6": "0.4 到 0.6",
    "0.6 to 0.8": "0.6 到 0.8",
    "0.8 to 1": "0.8 到 1",
    "1 (always right)": "1（始终正确）",
    "never right": "从未正确",
    "always right": "始终正确",
    "learnt and kept": "学会且未遗忘",
    "right at first, lost": "起初正确，后丢失",
    "forgotten once": "遗忘 1 次",
    "forgotten twice": "遗忘 2 次",
    "forgotten 3 times or more": "遗忘 3 次及以上",
    "learnt once": "学会 1 次",
    "learnt twice": "学会 2 次",
    "learnt 3 times or more": "学会 3 次及以上",
    "dirty (flipped label)": "脏数据（标签被翻转）",
    "hard": "困难样本",
    "normal": "普通样本",
    "other": "其他",
    "no value": "无数值",
    "{low} to {high}": "{low} 到 {high}",
    # legend titles
    "forgetting events": "遗忘次数",
    "learning events": "学会次数",
    "planted kind": "样本类型",
    "label": "标签",
    # regions
    "easy to learn": "易学",
    "ambiguous": "模糊",
    "hard to learn": "难学",
    "noisy?": "疑似噪声",
    # titles
    "{total} samples": "{total} 个样本",
    "{shown} of {total} samples, {filters}": "{total} 个样本中的 {shown} 个，{filters}",
    "{count} observations": "{count} 次观测",
    "1 observation": "1 次观测",
    "{shown} samples of {total}: all of rare groups, the others drawn at random (seed 0)": (
        "{shown} 个样本（共 {total} 个）：稀有分组全部保留，其余随机抽取（种子 0）"
    ),
    # comparison
    "from {a} to {b}": "从 {a} 到 {b}",
    "mean of the samples of each cell; blue rose, red fell": "每格样本的均值；蓝色上升，红色下降",
    # diagnosis
    "never predicted right": "从未预测正确",
    "right in {n} of {total} observations": "{total} 次观测中 {n} 次预测正确",
    "; forgotten {n} ×": "；遗忘 {n} 次",
    "; the model says {name} ({p})": "；模型认为是 {name}（{p}）",
    "; models that never saw it say {name} ({p})": "；未见过该样本的模型认为是 {name}（{p}）",
    "; its characters say {name} ({p})": "；从用字看是 {name}（{p}）",
    "; similar texts say {name} ({p})": "；相似的文本是 {name}（{p}）",
    "; what both texts share says {name} ({p})": "；从两段文本的共同之处看是 {name}（{p}）",
    # explorer
    "x": "横轴",
    "y": "纵轴",
    "color": "颜色",
    "lasso": "套索",
    "box": "框选",
    "pan": "平移",
    "predicted": "预测",
    "probability of the given label": "给定标签的概率",
    "selected": "个已选",
    "shown": "个显示",
    "the first": "列出前",
    "listed": "个",
    "remove": "移除",
    "copied": "已复制",
    "press Ctrl-C to copy": "请按 Ctrl-C 复制",
    "MLflow's viewer forbids downloads: copy this text, or download explorer.html and open it": (
        "MLflow 的查看器禁止下载：请复制此文本，或下载 explorer.html 后打开"
    ),
    "search texts and ids": "搜索文本和 id",
    "search ids": "搜索 id",
    "filter by range": "按范围筛选",
    "copy TSV": "复制 TSV",
    "download TSV": "下载 TSV",
    "clear selection": "清除选择",
    "replay": "回放",
}


def word(text: str, lang: str, **values: object) -> str:
    """A text of ours in language `lang`, its {fields} filled in; what has no translation stays."""
    translated = ZH.get(text, text) if lang == "zh" else text
    return translated.format(**values) if values else translated
