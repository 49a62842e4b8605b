"""Rank a run's samples by how likely their label is wrong, and log the list into the run.

python src/diagnose.py run_id=latest                    the score that finds most, of all that the run knows
python src/diagnose.py run_id=latest score=aum          another score
python src/diagnose.py run_id=latest regions=quantile   regions by quantiles instead of fixed borders
"""

from datamap.commands.cli import step


@step("diagnose", __doc__)
def main(config):
    from datamap.commands import diagnose

    diagnose.diagnose(config)


if __name__ == "__main__":
    main()
