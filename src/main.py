"""All three steps in one go: train, summarize, plot. Keys of plot are under `plot.`.

python src/main.py
python src/main.py seed=1 plot.use_f_times=0
"""

from dataclasses import replace

from datamap.commands.cli import step


@step("main", __doc__)
def main(config):
    from datamap.commands import steps, train

    run = train.train(config)
    same = {"run_id": run.run_id, "tracking": config.tracking}
    steps.summarize(replace(config.summarize, **same))
    steps.plot(replace(config.plot, **same))


if __name__ == "__main__":
    main()
