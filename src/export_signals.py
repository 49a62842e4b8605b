"""Write a run's signals as Dataset Cartography's training dynamics: dynamics_epoch_0.jsonl, one file an observation.

For logits they have ln(probs): their softmax is the recorded probs. Observations are counted from 0.

python src/export_signals.py run_id=latest
python src/export_signals.py run_id=latest folder=model/training_dynamics
"""

from datamap.commands.cli import step


@step("export_signals", __doc__)
def main(config):
    from datamap.commands import import_signals

    import_signals.export_signals(config)


if __name__ == "__main__":
    main()
