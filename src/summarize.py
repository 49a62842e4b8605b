"""Reduce the signals of a run to one row a sample and log it as summary.tsv.

python src/summarize.py run_id=latest
python src/summarize.py run_id=3f2a…
"""

from datamap.commands.cli import step
from datamap.log import say


@step("summarize", __doc__)
def main(config):
    from datamap.commands import steps

    run = steps.summarize(config)
    say(f"next: python src/plot.py run_id={run.run_id}")


if __name__ == "__main__":
    main()
