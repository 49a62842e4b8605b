"""Draw a data map of a run and log it into the run.

python src/plot.py run_id=latest                                        all samples, by correct_ratio
python src/plot.py run_id=latest criterion=forgetting_times threshold=1 the forgotten ones only
python src/plot.py run_id=latest use_f_times=0                          by forgetting events
python src/plot.py run_id=latest use_l_times=0                          by learning events
python src/plot.py run_id=latest dirty_label=true                       by planted kind
"""

from datamap.commands.cli import step


@step("plot", __doc__)
def main(config):
    from datamap.commands import steps

    steps.plot(config)


if __name__ == "__main__":
    main()
