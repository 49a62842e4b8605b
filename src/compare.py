"""Compare the data maps of several runs: side by side, where samples moved, and how far the runs agree.

python src/compare.py runs='[<run id>,<run id>]'                       these runs
python src/compare.py "runs=params.data = 'demo'"                      an MLflow search filter on the experiment
"""

from datamap.commands.cli import step


@step("compare", __doc__)
def main(config):
    from datamap.commands import compare

    compare.compare(config)


if __name__ == "__main__":
    main()
