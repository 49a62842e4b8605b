"""Make a run out of signals that lie in files: the original tutorial's, Dataset Cartography's, or our own.

python src/import_signals.py path=outputs/output_data.json             the original's, all observations in one file
python src/import_signals.py path=model/training_dynamics              allenai/cartography's dynamics_epoch_0.jsonl, …
python src/import_signals.py path=signals                              epoch_0001-00000-of-00001.jsonl or .parquet, …
python src/import_signals.py path=output_data.json texts=train.tsv     with the texts, for the explorer
"""

from datamap.commands.cli import step
from datamap.log import say


@step("import_signals", __doc__)
def main(config):
    from datamap.commands import import_signals

    run = import_signals.import_signals(config)
    say(f"next: python src/summarize.py run_id={run.run_id}")


if __name__ == "__main__":
    main()
