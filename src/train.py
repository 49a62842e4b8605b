"""Fine-tune a text classifier and log the signals of every training sample, epoch by epoch.

python src/train.py                                         the demo data, a small ERNIE
python src/train.py data=file data.path=my.tsv              your own labelled texts
python src/train.py model=ernie-3.0-base-zh data=lcqmc      the original's set-up
python src/train.py data.flip_ratio=0.1 seed=1              plant 10 % dirty labels
python src/train.py -m seed=1,2,3                           three runs under one parent, and their comparison
python src/train.py resume=true run_id=latest               go on with a run that was killed
"""

from datamap.commands.cli import step
from datamap.log import say


def sweep():
    from datamap.commands.multirun import Sweep

    return Sweep()


@step("train", __doc__, sweep)
def main(config):
    from datamap.commands import train

    run = train.train(config)
    step = "diagnose" if config.data.folds else "summarize"
    say(f"next: python src/{step}.py run_id={run.run_id}")


if __name__ == "__main__":
    main()
