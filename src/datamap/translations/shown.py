"""Translate the words on maps, on pages, in files and in descriptions into Chinese."""

ZH = {
    # axes and columns
    "variability  (standard deviation of the given label's probability)": "variability（给定标签概率的标准差）",
    "label_var  (variance of the given label's probability)": "label_var（给定标签概率的方差）",
    "avg_probs  (mean probability of the given label)": "avg_probs（给定标签概率的均值）",
    "correct_ratio": "预测正确率 correct_ratio",
    "samples": "样本数",
    "tokens": "词元数",
    "labels": "标签数",
    # groups
    "0 to 0.2": "0 到 0.2",
    "0.2 to 0.4": "0.2 到 0.4",
    "0.4 to 0.6": "0.4 到 0.6",
    "0.6 to 0.8": "0.6 到 0.8",
    "0.8 to 1": "0.8 到 1",
    "1 (always right)": "1（始终正确）",
    "never right": "从未正确",
    "always right": "始终正确",
    "learned and kept": "学会且未遗忘",
    "right at first, then lost": "起初正确，后来遗忘",
    "forgotten once": "遗忘 1 次",
    "forgotten twice": "遗忘 2 次",
    "forgotten 3 times or more": "遗忘 3 次及以上",
    "learned once": "学会 1 次",
    "learned twice": "学会 2 次",
    "learned 3 times or more": "学会 3 次及以上",
    "dirty (flipped label)": "脏数据（标签被翻转）",
    "hard": "困难",
    "normal": "正常",
    "other": "其他",
    "no value": "无数值",
    "{low} to {high}": "{low} 到 {high}",
    # legend titles
    "forgetting events": "遗忘次数",
    "learning events": "学会次数",
    "planted kind": "植入类型",
    "label": "标签",
    # regions
    "easy to learn": "易学",
    "ambiguous": "模糊",
    "hard to learn": "难学",
    "noisy?": "疑似噪声",
    # titles
    "{total} samples": "{total} 个样本",
    "{shown} of {total}, {filters}": "{total}中的 {shown} 个，{filters}",
    "{total} observations": "{total} 次观测",
    "{shown} of {total}: all of rare groups, the others drawn at random (seed 0)": (
        "共 {total}，显示 {shown} 个：少数分组全部保留，其余随机抽取（种子 0）"
    ),
    "replay: {kept} of {total} observations": "回放：{total} 次观测中的 {kept} 次",
    "texts: the {count} most likely wrong by {which}": "文本：按 {which} 最可能有误的 {count} 个样本",
    # comparison
    "from {a}": "从 {a}",
    "to {b}": "到 {b}",
    "from {a} to {b}": "从 {a} 到 {b}",
    "mean of the samples of each cell; blue rose, red fell": "每格为其中样本的均值；蓝色上升，红色下降",
    # diagnosis
    "never predicted right": "从未预测正确",
    "right in {n} of {total} observations": "{total} 次观测中 {n} 次预测正确",
    "; forgotten {n} ×": "；遗忘 {n} 次",
    "; mean loss {loss}": "；平均损失 {loss}",
    "; {share} of {tokens} target tokens right": "；{tokens} 个目标词元中 {share} 预测正确",
    "; the model says {name} ({p})": "；模型认为是 {name}（{p}）",
    "; models that never saw it say {name} ({p})": "；未见过该样本的模型认为是 {name}（{p}）",
    "; its words say {name} ({p})": "；从词语看是 {name}（{p}）",
    "; its characters say {name} ({p})": "；按字符特征判断为 {name}（{p}）",
    "; similar texts say {name} ({p})": "；相似文本多为 {name}（{p}）",
    "; what both texts share says {name} ({p})": "；按两段文本的重合部分判断为 {name}（{p}）",
    "map": "数据地图",
    "embeddings": "嵌入空间",
    "layout": "布局",
    "place by the embeddings: similar samples are near each other": "由嵌入向量得到的位置：相似的样本彼此靠近",
    "; the tokens around it say {name} ({p})": "；上下文多为 {name}（{p}）",
    "; the sentence as a whole says {name} ({p})": "；从整句看为 {name}（{p}）",
    "; the same token elsewhere says {name} ({p})": "；同一词元在别处多为 {name}（{p}）",
    "; a missed entity": "；漏标实体",
    "; no entity": "；不是实体",
    "; an entity of another type": "；实体类型有误",
    "; another border of the entity": "；实体边界有误",
    "; similar embeddings say {name} ({p})": "；嵌入向量相近的样本多为 {name}（{p}）",
    # review: what decisions teach
    "Everything is reviewed.": "已全部审核。",
    "Review {n} more to learn how far the score can be trusted.": "再审核 {n} 个，即可了解分数的可信程度。",
    "Go on: of the next {n} labels about {count} are wrong.": (
        "请继续：接下来的 {n} 个标签中约有 {count} 个有误。"
    ),
    "It pays to stop: of the next {n} labels only about {count} are wrong.": (
        "可以停止：接下来的 {n} 个标签中只有约 {count} 个有误。"
    ),
    # a run's description
    "**{samples} over {observations}.** Mean confidence {mean}; {never} of the {unit}s were never predicted right; "
    "{events} forgetting events per {unit}.": (
        "**{samples}，{observations}。**平均置信度 {mean}；{never} 的{unit}从未预测正确；"
        "平均每个{unit}遗忘 {events} 次。"
    ),
    "{units} of {samples}": "{samples}的 {units}",
    "sample": "样本",
    "**Too few observations:** of {observations}, a map shows little more than what the model guessed at first. Train "
    "for more epochs, or wait until the run has ended, and summarize again.": (
        "**观测太少：**只有 {observations}，地图几乎只反映模型最初的猜测。请多训练几轮，或等运行结束后重新汇总。"
    ),
    "**Look first at** the {units} that were never predicted right.": "**请先查看**从未预测正确的 {units}。",
    "**Look first at** the {unit}s of lowest confidence.": "**请先查看**置信度最低的{unit}。",
    "**Look first at** the top of {file}: the labels that are most likely wrong.": (
        "**请先查看** {file} 的开头：其中的标签最可能有误。"
    ),
    "**This map ranks them worse than chance:** the model has memorized them, or has learned too little.": (
        "**这张地图对它们的排序不如随机：**模型已死记标签，或学得太少。"
    ),
    "In {file}: *+ filter by range*, `correct_ratio`, from 0 to 0.": (
        "在 {file} 中点击“+ 按范围筛选”，选择 `correct_ratio`，范围为 0 到 0。"
    ),
    "In {file} they come first when you sort by `{column}`.": "在 {file} 中按 `{column}` 排序，它们排在最前。",
    "Planted dirty {unit}s against the rest: AUROC of 1 - avg_probs **{auroc}**.": (
        "植入的脏{unit}与其余相比：1 - avg_probs 的 AUROC 为 **{auroc}**。"
    ),
    "**About {about} labels are wrong**, between {low} and {high}. Read {file} from the top, until {row} in a row "
    "are right.": (
        "**估计约有 {about} 个错误标签**（{low}～{high}）。请从头查看 {file}，直到连续 {row} 个都正确。"
    ),
    "**{samples} reviewed**, {wrong} of them wrong.": "**已审核 {samples}**，其中 {wrong} 个有误。",
    "**How far to trust the map:** from observation {number} on the model memorized labels, wrong ones too (in "
    "the end its accuracy was {gap:.0f} percentage points higher on training data than on other data): wrong labels "
    "may lie among the easy {unit}s.": (
        "**地图的可信程度：**从第 {number} 次观测起，模型开始死记标签，错误标签也不例外（最终训练数据上的"
        "准确率比其他数据高 {gap:.0f} 个百分点）：易学的{unit}中也可能有错误标签。"
    ),
    "**How far to trust the map:** from observation {number} on the model memorized labels, wrong ones too (in "
    "the end it repeated {repeated} of the labels that are most likely wrong by their texts): wrong labels may lie "
    "among the easy {unit}s.": (
        "**地图的可信程度：**从第 {number} 次观测起，模型开始死记标签，错误标签也不例外（从文本看最可能有误的标签，"
        "最终模型照样预测了其中的 {repeated}）：易学的{unit}中也可能有错误标签。"
    ),
    "**How many labels are wrong cannot be known:** {reason}.": "**无法估计错误标签的数量：**{reason}。",
    "nothing that never saw the labels can judge them (no texts, no embeddings, no folds)": (
        "没有未见过标签的依据可用来判断（没有文本、嵌入向量和折外预测）"
    ),
    "fewer than two classes have two samples, so that no model can judge labels that it has not seen": (
        "至少有两个样本的类别不足两个，没有模型能判断自己未见过的标签"
    ),
    "no model that never saw the labels predicts them better than their frequencies do": (
        "未见过标签的模型，预测标签都不比按类别频率猜测更准"
    ),
    "even the surest predictions of models that never saw the labels contradict too many of them": (
        "未见过标签的模型，连最有把握的预测也与过多标签不符"
    ),
    "contradicted labels gather where the models are unsure: wrong labels there look like errors of theirs": (
        "与预测不符的标签集中在模型没有把握之处，难以区分是标签有误还是模型出错"
    ),
    "too few labels contradict sure predictions to tell wrong labels from errors of the models": (
        "与有把握的预测不符的标签太少，难以区分是标签有误还是模型出错"
    ),
    "the model learned too little": "模型学得太少",
    "probability": "概率",
    "order only": "仅供排序",
    "- {place}: {use}": "- {place}：{use}",
    "read the {unit}s, most likely wrong first": "查看{unit}，最可能有误的排在最前",
    "read the samples, each ranked by its worst {unit}": "查看样本，按其中最可疑的{unit}排序",
    "sort the samples by their worst {unit}": "按最难的{unit}对样本排序",
    "read the samples, hard or wrong ones first": "查看样本，较难或有误的排在最前",
    "hover, search, filter and select {unit}s, replay the epochs": "悬停、搜索、筛选、选择{unit}，逐轮回放",
    "sort all {unit}s by any number": "按任意数值列对全部{unit}排序",
    "see the map, and how it formed": "查看地图及其形成过程",
    "Train on them: {command}": "用它们训练：{command}",
    "**{samples:,} of the {samples_before:,} samples** of run [{name}]({link}) by `keep={rule}`, {relabelled:,} of "
    "them with another label (`{file}`).": (
        "运行 [{name}]({link}) 的 **{samples_before:,} 个样本中的 {samples:,} 个**，规则为 `keep={rule}`，"
        "其中 {relabelled:,} 个改了标签（`{file}`）。"
    ),
    "**Data maps of {runs}.**": "**以下运行的数据地图：{runs}。**",
    "Among the hardest {share:.0%} of every run: **{samples}** (`comparison/always_hard.tsv`). {why}": (
        "在每个运行中都属于最难的 {share:.0%}：**{samples}**（`comparison/always_hard.tsv`）。{why}"
    ),
    "But {runs} learned too little to tell which {unit}s are hard.": "但 {runs} 学得太少，无法判断哪些{unit}较难。",
    "Whatever made them hard, it was not the run.": "它们难学的原因不在于某一个运行。",
    "agreement, mean over pairs of runs": "一致性（各对运行的均值）",
    "see the maps side by side, and where {unit}s moved": "并排查看各张地图，以及{unit}如何移动",
    "see each pair of runs": "查看每一对运行",
    # explorer
    "x": "横轴",
    "y": "纵轴",
    "color": "颜色",
    "lasso": "套索",
    "box": "框选",
    "pan": "平移",
    "predicted": "预测",
    "probability of the given label, {unit} {first}–{last}": "给定标签的概率，第 {first}–{last} {unit}",
    "confidence, {unit} {first}–{last}": "置信度，第 {first}–{last} {unit}",
    "show all {n} characters": "显示全部 {n} 个字符",
    "show less": "收起",
    "{unit} {number} / {last}": "第 {number} / {last} {unit}",
    "{count} selected": "已选 {count} 个",
    "{count} shown": "显示 {count} 个",
    " (the first {count} listed)": "（列出前 {count} 个）",
    "min": "最小值",
    "max": "最大值",
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
    "copy as data.ids=": "复制为 data.ids=",
    "copy as curate ids=": "复制为 curate ids=",
    "download TSV": "下载 TSV",
    "clear selection": "清除选择",
    "replay": "回放",
    "copy": "复制",
    "Review the labels, most likely wrong first:": "审核标签，最可能有误的在前：",
    "Read the samples, hard or wrong ones first:": "查看样本，较难或有误的在前：",
    "Rank the samples, hard or wrong ones first:": "给样本排序，较难或有误的在前：",
    "Find the labels that are likely wrong:": "找出可能有误的标签：",
    # what columns mean
    "the sample's id": "样本的 id",
    "the sample's id and the {unit}'s position in it": "样本的 id 和{unit}在其中的位置",
    "the given label": "给定标签",
    "planted kind: 0 normal, 1 hard, 2 dirty": "植入类型：0 正常，1 困难，2 脏数据",
    "observations in which the prediction was right": "预测正确的观测次数",
    "share of the observations in which the prediction was right": "预测正确的观测所占比例",
    "mean probability of the given label (confidence): low = hard, or a wrong label": (
        "给定标签概率的均值（置信度）：低 = 困难，或标签错误"
    ),
    "variance of the given label's probability over the observations: high = the model wavered": (
        "给定标签概率在各次观测间的方差：高 = 模型摇摆不定"
    ),
    "standard deviation of the given label's probability: the square root of label_var": (
        "给定标签概率的标准差（变异性），即 label_var 的平方根"
    ),
    "highest probability of the given label": "给定标签的最高概率",
    "lowest probability of the given label": "给定标签的最低概率",
    "mean of p (1 - p), p the given label's probability: high = never sure of either": (
        "p (1 - p) 的均值，p 为给定标签的概率：高 = 模型始终拿不准"
    ),
    "distance of the predicted probabilities from the label, mean of the first observations: high = hard": (
        "预测概率与给定标签的距离，取最初几次观测的均值：高 = 困难"
    ),
    "mean loss: high = hard": "损失的均值：高 = 困难",
    "share of the observations in which the sample was right": "样本预测正确的观测所占比例",
    "mean confidence: low = hard, or wrong": "置信度的均值：低 = 困难，或有误",
    "variance of the confidence over the observations: high = the model wavered": (
        "置信度在各次观测间的方差：高 = 模型摇摆不定"
    ),
    "standard deviation of the confidence: the square root of label_var": (
        "置信度的标准差（变异性），即 label_var 的平方根"
    ),
    "highest confidence": "最高置信度",
    "lowest confidence": "最低置信度",
    "mean of p (1 - p), p the confidence: high = never sure of either": (
        "p (1 - p) 的均值，p 为置信度：高 = 模型始终拿不准"
    ),
    "how hard or wrong the sample is (datamap diagnose): 1 = most": (
        "样本困难或有误的程度（datamap diagnose）：1 = 最高"
    ),
    "mean probability of the target tokens": "目标词元概率的均值",
    "share of target tokens that are the most probable ones": "目标词元中预测为首选的比例",
    "number of target tokens": "目标词元数",
    "mean lead of the label's log-probability over the best other one (AUM): below 0 = another won": (
        "给定标签的对数概率与其余最高者之差的均值（AUM）：低于 0 = 其他标签更高"
    ),
    "mean entropy of the prediction: high = undecided between the classes": "预测熵的均值：高 = 在各类别间犹豫",
    "class that the model predicts": "模型预测的类别",
    "probability that the label is wrong (datamap diagnose)": "标签有误的概率（datamap diagnose）",
    "how likely the label is wrong (datamap diagnose): it orders the samples, and is no probability": (
        "标签有误的可能性（datamap diagnose）：仅供排序，不是概率"
    ),
    "place in the diagnosis: 1 = first": "在诊断结果中的位次：1 = 排在最前",
    "label that the diagnosis proposes instead of the given one": "诊断给出的建议标签",
    "forgetting events: right, then wrong at the next observation": "遗忘事件：先预测正确，下一次观测预测错误",
    "learning events: wrong, then right at the next observation": "学会事件：先预测错误，下一次观测预测正确",
    "0-based observation of the first forgetting event; 0 = never": "第一次遗忘事件的观测序号（从 0 起）；0 = 从未",
    "0-based observation of the first learning event; 0 = never": "第一次学会事件的观测序号（从 0 起）；0 = 从未",
    # review page
    "Review": "审核",
    "Reviewer": "审核人",
    "Filters": "筛选",
    "Progress": "进度",
    "On the map": "数据地图",
    "keys and help": "快捷键与帮助",
    "list to review": "待审核列表",
    "the sample": "当前样本",
    "decide": "做出判断",
    "reviewed": "已审核",
    "show": "显示",
    "order": "排序",
    "region": "区域",
    "score": "分数",
    "rank {n}": "第 {n} 位",
    "probability that the label is wrong": "标签有误的概率",
    "place in the diagnosis": "在诊断结果中的位次",
    "given label": "给定标签",
    "proposed label": "建议标签",
    "given": "给定",
    "proposed": "建议",
    "from": "从",
    "to": "到",
    "any": "不限",
    "all": "全部",
    "not yet by me": "我未审核的",
    "by nobody yet": "无人审核的",
    "reviewers disagree": "有分歧的",
    "likely wrong first": "最可能有误的在前",
    "save as a selection": "保存为选择",
    "1 id is saved in the run: {command}": "已把 1 个 id 保存到运行中：{command}",
    "{n} ids are saved in the run: {command}": "已把 {n} 个 id 保存到运行中：{command}",
    "move the end of the entity": "移动实体的右边界",
    "move the beginning of the entity": "移动实体的左边界",
    "The token is in no entity, or its border cannot move there.": "该词元不在实体中，或实体的边界不能移到那里。",
    "take all proposals of the sentence": "采用整句的全部建议",
    "take all proposals of the text": "采用该文本的全部建议",
    "Take all proposals ({n})": "采用全部建议（{n}）",
    "No proposal is left here.": "这里没有未处理的建议。",
    "proposed: {name}": "建议：{name}",
    "show all {n} labels": "显示全部 {n} 个标签",
    "1 token": "1 个词元",
    "{total} tokens": "{total} 个词元",
    "1 label": "1 个标签",
    "{total} labels": "{total} 个标签",
    "absent": "没有",
    "present": "有",
    "most uncertain first": "最不确定的在前",
    "in the order of the data": "按数据顺序",
    "clear filters": "清除筛选",
    "1 sample": "1 个样本",
    "{at} of {total}": "第 {at} 个，共 {total} 个",
    "outside of this list": "不在当前列表中",
    "This run holds no texts; find the sample by its id.": "此运行未保存文本，请按 id 查找样本。",
    "How it was learned": "学习过程",
    "probability of the given label by {unit}; full: right, ring: wrong": (
        "各{unit}中给定标签的概率；实心：预测正确，空心：预测错误"
    ),
    "epoch": "轮",
    "step": "步",
    "Similar samples": "相似样本",
    "Reviewers disagree": "审核人意见不一",
    "Keep the given label": "保留给定标签",
    "Keep it": "保留",
    "Prompt": "提示",
    "Completion": "回答",
    "Take the proposed label": "采用建议标签",
    "No other label is proposed": "没有建议标签",
    "another of {n} classes": "其他类别（共 {n} 个）",
    "Drop": "删除",
    "Unsure": "不确定",
    "Undo": "撤销",
    "Back": "上一个",
    "Skip": "跳过",
    "kept": "已保留",
    "dropped": "已删除",
    "unsure": "不确定",
    "undone": "已撤销",
    "This is the end of the list.": "已到列表末尾。",
    "This is the first one.": "已是第一个。",
    "There is nothing to undo.": "没有可撤销的操作。",
    "The key {key} stands for no class here.": "按键 {key} 没有对应的类别。",
    "No other label is proposed here: choose a class.": "这里没有建议标签，请选择类别。",
    "Nothing is shown yet: the key did nothing.": "内容尚未显示，按键未生效。",
    "Nothing fits. Change the filters, or show all.": "没有符合条件的内容。请修改筛选条件，或显示全部。",
    "{reviewed} of {goal} reviewed, {wrong} wrong": "已审核 {reviewed} / {goal}，其中 {wrong} 个有误",
    "worth reviewing, about": "值得审核，约",
    "wrong among reviewed": "已审核部分的错误率",
    "still wrong, about": "估计剩余错误",
    "({low} to {high})": "（{low} 至 {high}）",
    "by me": "我审核的",
    "agreement, kappa": "审核一致性（kappa）",
    "{a} and {b}, on {both}": "{a} 与 {b}，共同审核 {both} 个",
    "reviewers disagree on 1: show it": "1 个有分歧：点击查看",
    "reviewers disagree on {n}: show them": "{n} 个有分歧：点击查看",
    "Draw around points to review them; the wheel zooms.": ("圈选的点进入审核列表；滚轮缩放。"),
    "data map": "数据地图",
    "Another class": "选择其他类别",
    "classes": "类别",
    "search classes": "搜索类别",
    "no class is called so": "没有名称匹配的类别",
    "↑ ↓ and Enter choose, Esc closes": "↑ ↓ 选择，Enter 确定，Esc 关闭",
    "Jump to an id": "跳转到 id",
    "id to jump to": "要跳转到的 id",
    "Jump": "跳转",
    "Keys": "快捷键",
    "close": "关闭",
    "keep the given label": "保留给定标签",
    "take the proposed label": "采用建议标签",
    "choose a class by its number": "按编号选择类别",
    "search among all classes": "在全部类别中搜索",
    "drop the sample": "删除该样本",
    "unsure: somebody else should look": "不确定，留给他人判断",
    "undo the last decision": "撤销上一次判断",
    "skip": "跳过",
    "back": "上一个",
    "jump to an id": "按 id 跳转",
    "this list": "显示快捷键列表",
    "Every decision is kept at once in the run; closing this page loses nothing.": (
        "每次判断都会立即保存到运行中，关闭页面不会丢失任何内容。"
    ),
    "The server does not answer. If it ended, start it again: {command}": (
        "服务器没有响应。如果它已退出，请重新启动：{command}"
    ),
    "The server was started anew and has another address: open the one that it printed.": (
        "服务器已用新地址重新启动，请打开它输出的地址。"
    ),
    "The server could not do it ({reason}) and is asked again.": "服务器未能完成操作（{reason}），将自动重试。",
    "This address is not the server's: open the one that it printed.": "此地址无效，请打开服务器输出的地址。",
    "1 decision is kept in this browser and will be sent.": "1 条判断已保存在浏览器中，稍后会自动发送。",
    "{n} decisions are kept in this browser and will be sent.": "{n} 条判断已保存在浏览器中，稍后会自动发送。",
}
