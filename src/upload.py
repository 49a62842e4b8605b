"""Send the observations that training could not log, because the store did not take them.

python src/upload.py
python src/upload.py folder=/data/datamap-spool
"""

from datamap.commands.cli import step
from datamap.log import say


@step("upload", __doc__)
def main(config):
    from datamap.commands import steps

    for run in steps.upload(config):
        say(f"next: python src/summarize.py run_id={run.run_id}")


if __name__ == "__main__":
    main()
