"""Make a new training file from a run's samples, and log it into a run of its own.

python src/curate.py run_id=latest keep=clean                   drop as many as diagnose estimates to be wrong
python src/curate.py run_id=latest keep=relabelled share=0.05   relabel the likeliest 5 %
python src/curate.py run_id=latest keep=corrected corrections=diagnosis.tsv
"""

from datamap.commands.cli import step


@step("curate", __doc__)
def main(config):
    from datamap.commands import curate

    curate.curate(config)


if __name__ == "__main__":
    main()
