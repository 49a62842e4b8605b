"""Translate the lines that commands print into Chinese."""

ZH = {
    # numbers with their nouns
    "{total} epochs": "{total} 轮",
    "{total} uploads": "{total} 份上传内容",
    "{total} records": "{total} 条记录",
    "{total} rows": "{total} 行",
    "{total} bad rows": "{total} 个坏行",
    "{total} lines": "{total} 行",
    "{total} files": "{total} 个文件",
    "{total} decisions": "{total} 条判断",
    "{total} runs": "{total} 个运行",
    "{total} trainings": "{total} 次训练",
    "{total} further trainings": "{total} 次额外训练",
    "{total} sentences": "{total} 个句子",
    "{total} wrong labels": "{total} 个错误标签",
    # in every command
    "note: {note}": "注意：{note}",
    "run {run}  ({address})": "运行 {run}  （{address}）",
    "next: {command}": "下一步：{command}",
    "look at it: {address}": "查看：{address}",
    "(served by: {server})": "（需先运行：{server}）",
    "the runs: {address}": "所有运行：{address}",
    "note: run {run} is still running (or was killed): {observations} so far": (
        "注意：运行 {run} 尚未结束（或已被终止）：目前有 {observations}"
    ),
    "training quick models on the texts of {samples}": "正在用{samples}的文本训练快速模型",
    "run {run} has no {file} yet: summarizing it first": "运行 {run} 还没有 {file}：先进行汇总",
    "run {run} has no {file} yet: diagnosing it first": "运行 {run} 还没有 {file}：先进行诊断",
    # train
    "loading the model {model}": "正在加载模型 {model}",
    "epoch {number} of {last}": "第 {number}/{last} 轮",
    "step {number} of {last}": "第 {number}/{last} 步",
    "loss {loss:.4f}": "损失 {loss:.4f}",
    "accuracy {accuracy:.3f}": "准确率 {accuracy:.3f}",
    "dev accuracy {accuracy:.3f}": "开发集准确率 {accuracy:.3f}",
    "dev F1 {f1:.3f}": "开发集 F1 {f1:.3f}",
    "note: {tokens} of {sentences} are beyond trainer.max_length={max_length} and have no signals": (
        "注意：{sentences}中有 {tokens} 超出 trainer.max_length={max_length}，没有信号"
    ),
    "{time}, {left} left": "{time}，剩余约 {left}",
    "{seconds:.1f} s": "{seconds:.1f} 秒",
    "{seconds:.0f} s": "{seconds:.0f} 秒",
    "{minutes:.0f} min": "{minutes:.0f} 分钟",
    "{hours:.1f} h": "{hours:.1f} 小时",
    "{observations} of {count:,} samples logged": "已记录 {observations}，样本数 {count:,}",
    "ended early; {observations} safe: {command}": "提前结束；已保存 {observations}：{command}",
    "to go on with the run: {command}": "继续该运行：{command}",
    "note: latest is the newest run of experiment {experiment}; {other} has a newer one: {run}": (
        "提示：latest 取实验 {experiment} 中最新的 run；{other} 中有更新的：{run}"
    ),
    "note: waiting for the other processes: each makes a recorder, or one records alone with gathered=True": (
        "提示：正在等待其他进程：每个进程都要建一个 recorder，或者用 gathered=True 由一个进程单独记录"
    ),
    "resuming after observation {number}": "从第 {number} 次观测之后继续",
    "note: observation {number} is in run {run} already and stays": "提示：run {run} 已有第 {number} 次观测，保持不变",
    "observing {count} of {total} samples, drawn by seed {seed}": (
        "观测 {total} 个样本中的 {count} 个，按种子 {seed} 抽取"
    ),
    "observing the first {count} samples of a stream": "观测数据流的前 {count} 个样本",
    "note: the training dataset has no column id, so ids are row numbers from 0; a Trainer removes the column "
    "unless remove_unused_columns=False: keep it, or pass ids=": (
        "提示：训练数据没有 id 列，因此以从 0 起的行号为 id；除非设置 remove_unused_columns=False，"
        "否则 Trainer 会去掉这一列：请保留它，或传入 ids="
    ),
    "{uploads} of {folder} sent": "已发送 {folder} 中的 {uploads}",
    "note: data.sample={sample}, but {path} has {rows} rows: all are used": (
        "注意：data.sample={sample}，但 {path} 只有 {rows} 行：全部使用"
    ),
    "{rows} of {path} left out (artifact data/bad_rows.tsv)": (
        "{path} 中有 {rows}未使用（见 artifact data/bad_rows.tsv）"
    ),
    "note: the classifier in {folder} predicts other classes, so training starts with a new one": (
        "注意：{folder} 中分类器的类别与数据不同，训练将使用新的分类器"
    ),
    "{trainings} of {epochs} run beside this one, {jobs} at a time ({keys})": (
        "另有 {trainings}同时进行，每次 {epochs}，并行数 {jobs}（{keys}）"
    ),
    "{trainings} of {epochs} will follow this one ({keys})": "之后还有 {trainings}，每次 {epochs}（{keys}）",
    "{count:,} threshold samples  accuracy on them": "{count:,} 个阈值样本  在这些样本上的准确率",
    "fold {number} of {count}  accuracy on samples it has not seen": (
        "第 {number}/{count} 折  在未见过的样本上的准确率"
    ),
    "parent run {run}  ({address})": "父运行 {run}  （{address}）",
    "{trainings}, {jobs} at a time (trainer.jobs)": "共 {trainings}，并行数 {jobs}（trainer.jobs）",
    "note: {runs} to compare: no comparison": "注意：只有 {runs} 可以比较，不进行对比",
    "note: no live map from here on ({error}: {reason})": "注意：此后不再绘制实时地图（{error}：{reason}）",
    "note: drawing the map takes {cost:.1f} s, more than {share:.0%} of an epoch, so some epochs have no live map; "
    "plot.live=false turns live maps off": (
        "注意：绘制地图需要 {cost:.1f} 秒，超过一轮训练时间的 {share:.0%}，因此部分轮次没有实时地图；"
        "plot.live=false 可关闭实时地图"
    ),
    # sending
    "{uploads} of run {run} wait in {folder}; when {store} answers again: {command}": (
        "运行 {run} 有 {uploads}暂存在 {folder}；待 {store} 恢复后执行：{command}"
    ),
    "note: {error}; trying again for up to {seconds} s": "注意：{error}；将继续重试，最长 {seconds} 秒",
    "note: {store} takes nothing; observations go to {folder}": "注意：{store} 无法写入；观测暂存到 {folder}",
    "{uploads} sent into run {run}  ({address})": "已向运行 {run} 发送 {uploads}  （{address}）",
    # recording
    "note: {records} after observation {number} never committed, and lost": (
        "注意：第 {number} 次观测之后的 {records}从未提交，已丢失"
    ),
    "run {run}  ({address}): {observations} of {samples}": "运行 {run}  （{address}）：{observations}，{samples}",
    "note: the recorder of run {run} was never closed: use `with`, or close() at the end": (
        "注意：运行 {run} 的记录器没有关闭：请使用 `with`，或在最后调用 close()"
    ),
    # files of texts
    "its columns are divided by {by}": "各列以{by}分隔",
    "tabs": "制表符",
    "commas": "逗号",
    "semicolons": "分号",
    "pipes": "竖线",
    "quotation marks around cells are taken off and doubled ones halved, as in a CSV": (
        "已去掉单元格外层的引号，连续两个引号视为一个（与 CSV 相同）"
    ),
    "of its {count} sheets the first, {title!r}, is read": "共 {count} 个工作表，只读取第一个 {title!r}",
    "line {line} has the columns' names; what stands above it is left out": "列名在第 {line} 行；其上的内容未使用",
    "row {line} has the columns' names; what stands above it is left out": "列名在第 {line} 行；其上的内容未使用",
    "{name} is column {column!r}": "{name} 取自列 {column!r}",
    "it has no column {wanted!r}; {name} is column {name!r}": "没有列 {wanted!r}；{name} 取自列 {name!r}",
    "labels are its columns {columns}": "标签是各列 {columns}",
    "its labels are divided by {separator!r}": "标签以 {separator!r} 分隔",
    "tags without B- or I-, which others have: {tags}; entities are compared only if every tag but O has one": (
        "部分标签缺少其他标签都有的 B- 或 I-：{tags}；只有除 O 以外的标签都带前缀时，才按实体比较"
    ),
    "taken as one label, as others are divided by {separator!r}: {labels}": (
        "按一个标签处理（其他标签以 {separator!r} 分隔）：{labels}"
    ),
    "single texts: it has no column text_b (another name: data.columns.text_b=)": (
        "按单文本处理：没有 text_b 列（列名不同时请设置 data.columns.text_b=）"
    ),
    "single texts: it has no column text_b": "按单文本处理：没有 text_b 列",
    "read as {encoding}": "按 {encoding} 编码读取",
    "read as {encoding}; to force another encoding: data.encoding=": (
        "按 {encoding} 编码读取；要使用其他编码，请设置 data.encoding="
    ),
    "classes that look alike stay apart: {groups}; to join them, write them alike in the file": (
        "写法相近的类别不会合并：{groups}；如需合并，请在文件中统一写法"
    ),
    " and ": " 和 ",
    "{label} ({rows})": "{label}（{rows}）",
    # import, export
    "{observations} of {samples} imported": "已导入 {observations}，{samples}",
    "{path}: its last line is cut off (a killed run?): left out": (
        "{path}：最后一行不完整（运行被终止？），未使用"
    ),
    "observation {number} has only {count:,} of {records} (a killed run?): left out": (
        "第 {number} 次观测只有 {records}中的 {count:,} 个（运行被终止？），未使用"
    ),
    "{observations} of run {run} written to {folder}": "已将运行 {run} 的 {observations}写入 {folder}",
    # summarize
    "{file}: {samples} over {observations}": "{file}：{samples}，{observations}",
    "**The model has learned too little to say where to look first:** {never} of the {unit}s were never predicted "
    "right. Train for longer, or diagnose the run, which asks other models too.": (
        "**模型学得太少，无法指出应先查看哪里：**{never} 的{unit}从未预测正确。"
        "请延长训练，或诊断此次运行，诊断还会参考其他模型。"
    ),
    "note: this ranks them worse than chance: the model has memorized them, or has learned too little": (
        "注意：该排序不如随机：模型已死记这些标签，或学得太少"
    ),
    "dirty {unit}s against the rest: AUROC of 1 - avg_probs {auroc:.3f}": (
        "脏{unit}与其余相比：1 - avg_probs 的 AUROC 为 {auroc:.3f}"
    ),
    "note: the summary covers {count} of {total} observations; regenerate it: {command}": (
        "注意：汇总只涵盖 {total} 次观测中的 {count} 次；重新汇总：{command}"
    ),
    "note: until=auto keeps all {observations}: neither development data nor a diagnosis says that the model memorizes "
    "labels": "注意：until=auto 保留全部 {observations}：开发集和诊断都没有表明模型在死记标签",
    "note: the model memorizes labels from observation {number} on; until=auto keeps the first {observations}, "
    "as fewer are too few for a map": (
        "注意：从第 {number} 次观测起模型开始死记标签；再少就不足以绘制地图，因此 until=auto 保留前 {observations}"
    ),
    "note: observation {numbers} was never committed (a killed run?) and is left out": (
        "注意：第 {numbers} 次观测从未提交（运行被终止？），未使用"
    ),
    "note: {folder}/ is not finished and is left out (a killed run? go on: {command})": (
        "注意：{folder}/ 尚未完成，未使用（运行被终止？继续：{command}）"
    ),
    "note: from observation {number} on the model memorizes labels (in the end it {seen}), wrong ones too: "
    "{advice}": "注意：从第 {number} 次观测起，模型开始死记标签，错误的也不例外（最终{seen}）：{advice}",
    "repeats {seen:.0%} of the {doubted:,} labels that models of the texts are surest are wrong": (
        "文本模型最确信有误的 {doubted:,} 个标签，它照样预测了其中的 {seen:.0%}"
    ),
    "knows {seen:.0%} of the labels it is trained on, and {unseen:.0%} of others": (
        "训练过的标签预测正确率为 {seen:.0%}，其他标签为 {unseen:.0%}"
    ),
    "trust the map of early observations (summarize until=auto), or train with fewer epochs": (
        "请以早期观测的地图为准（summarize until=auto），或减少训练轮数"
    ),
    "the summary leaves these observations out": "汇总未使用这些观测",
    "fewer than {least} come before, too few for a map: observe more often (train signals.every=<steps>)": (
        "此前的观测不足 {least} 次，不足以绘制地图：请更频繁地观测（train signals.every=<步数>）"
    ),
    "{time}  {done:,} of {total:,} in this pass": "{time}  本轮已完成 {done:,}/{total:,}",
    # waiting for a server
    "reading from {uri}": "正在读取 {uri}",
    "still {what} ({seconds} s)": "{what}……已 {seconds} 秒",
    "reducing the signals of {observations}": "正在汇总{observations}的信号",
    "reading the signals of {observations}": "正在读取{observations}的信号",
    "judging {samples}": "正在判断{samples}",
    "making {file}": "正在生成 {file}",
    "reading {file}": "正在读取 {file}",
    "choosing samples": "正在选择样本",
    "comparing {runs}": "正在比较 {runs}",
    "drawing {path}.png": "正在绘制 {path}.png",
    "fetching {files} of run {run}": "正在获取运行 {run} 的{files}",
    "logging {files} into run {run}": "正在将 {files}记录到运行 {run}",
    # plot
    "{path}.png: {width} × {height} pixels, logged into run {run}: {address}": (
        "{path}.png：{width} × {height} 像素，已记录到运行 {run}：{address}"
    ),
    "the map leaves out {samples} without a finite {column}": "有 {samples}的 {column} 不是有限数值，未绘制",
    "no installed font has Chinese characters, so the map shows boxes; install one: apt-get install fonts-noto-cjk "
    "(Debian), or pip install mplfonts && mplfonts init": (
        "系统中没有中文字体，地图上的汉字会显示为方框；请安装：apt-get install fonts-noto-cjk（Debian），"
        "或 pip install mplfonts && mplfonts init"
    ),
    "{file}: nothing in it changed: {address}": "{file}：内容没有变化：{address}",
    "{file}: hover, filter, select and replay: {address}": "{file}：可悬停、筛选、选择和回放：{address}",
    "note: the explorer shows no diagnosis: {error}": "注意：浏览器页面不显示诊断结果：{error}",
    # diagnose
    "review them: {command}": "审核：{command}",
    "read them: {command}": "查看：{command}",
    "{file}: {count:,} samples, hard or wrong ones first, read them: {address}": (
        "{file}：{count:,} 个样本，较难或有误的在前，请查看：{address}"
    ),
    "{file}: {samples}, most likely wrong first: {address}": "{file}：{samples}，最可能有误的在前：{address}",
    "  in about {samples}, each of which {file} ranks by its worst {unit}": (
        "  约涉及 {samples}；{file} 按每个样本中最可疑的{unit}排序"
    ),
    "{file}: {samples}, each by its worst {unit}": "{file}：{samples}，各取其最难的{unit}",
    "token": "词元",
    "label": "标签",
    "{total} labels": "{total} 个标签",
    "{file}: {samples:,} of {samples_before:,} samples, {labels} changed in {rows}, digest {digest}": (
        "{file}：保留 {samples_before:,} 个样本中的 {samples:,} 个，在 {rows}中修改 {labels}，摘要 {digest}"
    ),
    "  about {labels} ({share:.1%}), between {low:,} and {high:,}: review from the top of the list, until {row} in a "
    "row are right": (
        "  估计约有 {labels}（{share:.1%}；{low:,}～{high:,}）：请从列表开头审核，直到连续 {row} 个都正确"
    ),
    "  right about labels that they never saw: {judges}": "  对未见过的标签的判断正确率：{judges}",
    "{name} in {accuracy:.0%} (weight {weight:.2f})": "{name} {accuracy:.0%}（权重 {weight:.2f}）",
    "  planted dirty {unit}s: {measured}": "  植入的脏{unit}：{measured}",
    "note: a diagnosis of {observations} says little of how {unit}s were learned: {advice}": (
        "注意：只有 {observations}，诊断难以反映{unit}的学习过程：{advice}"
    ),
    "train for more epochs, or wait until the run has ended": "请多训练几轮，或等运行结束",
    "summarize more of its {committed:,} (until=, burn_in=)": (
        "请汇总全部 {committed:,} 次中的更多观测（until=、burn_in=）"
    ),
    "note: models that never saw the {unit}s are right in {unseen:.0%} of them, where the commonest class has "
    "{common:.0%}: they tell little, and weigh little (more data, more epochs, more data.folds)": (
        "注意：折外模型对{unit}的预测正确率为 {unseen:.0%}，而最常见类别占 {common:.0%}：参考价值有限，权重很低"
        "（可增加数据、训练轮数或 data.folds）"
    ),
    "note: after the last observation the model is right in {right:.0%} of the {unit}s, where the commonest class has "
    "{common:.0%}: it learned too little to tell wrong labels (train longer, or with another learning rate)": (
        "注意：最后一次观测时模型对{unit}的预测正确率为 {right:.0%}，而最常见类别占 {common:.0%}："
        "学得太少，无法判断标签对错（请延长训练，或调整学习率）"
    ),
    "note: for judges that never saw the labels, train with data.folds=3, record with samples=, or give embeddings=": (
        "注意：要有未见过标签的判断依据，请用 data.folds=3 训练、记录时提供 samples=，或提供 embeddings="
    ),
    "  weight of the run's own predictions, by what they tell beyond the labels that it has seen: {weight:.2f}": (
        "  本次运行自身预测的权重（按其在所见标签之外提供的信息）：{weight:.2f}"
    ),
    "expected by the scores: {before:,.0f} of {count:,} labels are right before relabeling, and {low:,.0f} to "
    "{high:,.0f} after it": (
        "按分数预计：改标前 {count:,} 个标签中有 {before:,.0f} 个正确，改标后 {low:,.0f} 到 {high:,.0f} 个"
    ),
    "note: whether relabeling makes more labels right cannot be known for this run; read the new file": (
        "注意：无法得知改标是否会让此次运行的更多标签正确；请查看新文件"
    ),
    "{file}: {samples}, {width} numbers each": "{file}：{samples}，每个 {width} 维",
    "note: the explorer shows no embeddings: {error}": "注意：浏览器页面不显示嵌入向量：{error}",
    "note: similar samples are found by their texts: {error}": "注意：按文本查找相似样本：{error}",
    "note: no embeddings are logged: {error}": "注意：未记录嵌入向量：{error}",
    "loading {encoder} by {library}": "正在用 {library} 加载 {encoder}",
    "encoding {texts} by {encoder}": "正在用 {encoder} 编码 {texts}",
    "note: how many labels are wrong cannot be known: {reason}. Read the list from the top, and give curate a share= "
    "or threshold=": (
        "注意：无法估计有多少标签是错的：{reason}。请从头查看列表，并为 curate 指定 share= 或 threshold="
    ),
    # review
    "note: run {run} has no texts ({file}): its samples are shown by their ids": (
        "注意：运行 {run} 没有文本（{file}）：样本以 id 显示"
    ),
    "note: no histories are shown: {error}": "注意：不显示学习过程：{error}",
    "note: {lines} of {folder}/ is no decision (a killed server?) and is left out": (
        "注意：{folder}/ 中有 {lines}不是有效的判断（服务器被终止？），未使用"
    ),
    "note: {decisions} on {unit}s that the run does not have": "注意：有 {decisions}针对运行中不存在的{unit}",
    "reviewed before: {reviewed:,} of {samples}, {wrong:,} wrong": (
        "共 {samples}，此前已审核 {reviewed:,} 个，其中 {wrong:,} 个有误"
    ),
    "review of {samples}: {address}  (Ctrl-C ends it)": "审核 {samples}：{address}  （按 Ctrl-C 结束）",
    "{reviewed:,} of {samples} reviewed, {wrong:,} wrong": (
        "共 {samples}，已审核 {reviewed:,} 个，其中 {wrong:,} 个有误"
    ),
    "note: reviewers disagree about {samples}: {ids}": "注意：审核人对 {samples}意见不一：{ids}",
    "note: no more files can be opened; idle connections are closed (allow more: ulimit -n)": (
        "注意：可打开的文件数已达上限，空闲连接将被关闭（可用 ulimit -n 提高上限）"
    ),
    # curate
    "note: {rows} of the training file have no signals, and are left out": (
        "注意：训练文件中有 {rows}没有信号，不予保留"
    ),
    "{file}: {samples:,} of {samples_before:,} samples, in the columns {columns}, digest {digest}": (
        "{file}：{samples_before:,} 个样本中的 {samples:,} 个，列为 {columns}，摘要 {digest}"
    ),
    "{samples} reviewed by {reviewers}; their decisions come before any rule: {kept:,} kept, {relabeled:,} relabeled, "
    "{dropped:,} dropped": (
        "{reviewers} 审核了 {samples}；其判断优先于任何规则：保留 {kept:,} 个，改标 {relabeled:,} 个，"
        "删除 {dropped:,} 个"
    ),
    "they keep their labels": "保留原标签",
    "the rule decides": "按规则处理",
    "note: of {samples} nobody was sure: {outcome}": "注意：有 {samples}无人能确定：{outcome}",
    "note: reviewers disagree about {samples} ({outcome}): {ids}": (
        "注意：审核人对 {samples}意见不一（{outcome}）：{ids}"
    ),
    "{file}: {samples:,} of {samples_before:,} samples, {relabelled:,} relabeled, digest {digest}": (
        "{file}：{samples_before:,} 个样本中的 {samples:,} 个，其中 {relabelled:,} 个改了标签，摘要 {digest}"
    ),
    "note: of class {classes} the rule would leave fewer: {samples} stay as they are, the least doubtful "
    "(drop_classes=true: not)": (
        "注意：按规则，类别 {classes} 剩余的样本会更少：保留其中最可信的{samples}（drop_classes=true 则不保留）"
    ),
    "half of the samples": "一半样本",
    "two samples": "两个样本",
    "{total} texts": "{total} 段文本",
    "note: class {classes} stays larger: people decided to keep its samples": (
        "注意：类别 {classes} 的样本仍较多：审核人决定保留这些样本"
    ),
    "note: no sample is left of class {classes}": "注意：类别 {classes} 已没有样本",
    "note: no sample is left of class {classes} ({lone} had one sample left)": (
        "注意：类别 {classes} 已没有样本（{lone} 原只剩一个样本）"
    ),
    "note: the summary is newer than the diagnosis; regenerate it: {command}": (
        "注意：汇总比诊断新；请重新诊断：{command}"
    ),
    "note: which relabeled samples are right is unknown with several classes: s_label is left out": (
        "注意：类别多于两个时，无法得知改标后的标签是否正确：不写 s_label"
    ),
    "note: which changed labels are right is unknown: s_label is not read again": (
        "注意：修改后的标签是否正确已无法得知：不再读取 s_label"
    ),
    "note: not carried over from run {run}: {keys}; give them yourself": (
        "注意：以下键未从运行 {run} 沿用：{keys}；请自行设置"
    ),
    "note: data.dev_path is not carried over: {problem}": "注意：未沿用 data.dev_path：{problem}",
    "it is not a plain path": "它不是普通路径",
    "a class that it has is gone": "其中有的类别已不存在",
    "it is read in another way than the curated file": "它与整理后的文件读法不同",
    # compare
    "note: {count:,} of {total} are in all runs, and only those are compared": (
        "注意：{total}中有 {count:,} 个为所有运行共有，只比较这些"
    ),
    "note: {runs} learned too little to tell which {unit}s are hard": "注意：{runs} 学得太少，无法判断哪些{unit}较难",
    "note: every {unit} has {column} ≥ {threshold:g}, so the map shows all; give a larger threshold=": (
        "注意：每个{unit}都满足 {column} ≥ {threshold:g}，因此地图全部显示；请用 threshold= 给出更大的值"
    ),
    "note: no {unit} is known to be planted, so dirty_label=true draws one color; to name a column of kinds: "
    "train data.columns.s_label=": (
        "注意：没有已知的植入{unit}，因此 dirty_label=true 只有一种颜色；训练时可用 data.columns.s_label= 指定类型列"
    ),
    "{after} was trained on {before} with {relabeled} corrected and {dropped} dropped: comparison/changes.tsv": (
        "{after} 用 {before} 整理后的数据训练：改正 {relabeled}，去掉 {dropped}：comparison/changes.tsv"
    ),
    "dev accuracy {old:.3f} of {before}, {new:.3f} of {after}": (
        "开发集准确率：{before} 为 {old:.3f}，{after} 为 {new:.3f}"
    ),
    "among the hardest {share:.0%} of every run: {samples}, in comparison/always_hard.tsv": (
        "在每个运行中都属于最难的 {share:.0%}：{samples}，见 comparison/always_hard.tsv"
    ),
    # recorder
    "note: {where} has no column with texts (columns: {columns}), so whole rows are shown; name the texts prompt and "
    "completion, messages, or text": (
        "注意：{where} 没有文本列（列：{columns}），因此显示整行；请将文本列命名为 prompt 和 completion、messages 或 "
        "text"
    ),
}
