"""Each area by itself: one training of all three, and each area's own rivals on the same hours."""

import time
from collections.abc import Mapping

from bench.accuracy import contestants
from bench.accuracy.contestants import Contestant, OwnModel
from bench.accuracy.gradient_boosting import boosted_trees
from bench.accuracy.recording import Say, Trial
from co2_assets.forecasting.network.trained_model import TrainingConfig
from co2_assets.forecasting.network.training import train_together

OURS, TREES = "attention LSTM", "LightGBM"


def contests(trials: Mapping[str, Trial], say: Say) -> dict[str, list[Contestant]]:
    """By area: ours, as it is trained in production on all areas together, and its rivals.

    ValueError when an area has too little history.
    """
    given = list(trials.values())
    say(f"training {OURS} on {', '.join(trials)} together")
    started = time.process_time()
    models = train_together(
        [each.data for each in given],
        until=given[0].until,
        seed=contestants.OWN_SEED,
        config=TrainingConfig(test_share=0.0),
        progress=contestants.report_epoch,
    )
    seconds = time.process_time() - started
    if len(models) < len(given):
        raise ValueError(f"only {', '.join(model.area.name for model in models)} could be trained")
    entries = {}
    for (name, each), model in zip(trials.items(), models, strict=True):
        say(f"{name}: {OURS}, {TREES} and the others")
        entries[name] = [
            contestants.ours(each, OURS, OwnModel(model, seconds)),
            boosted_trees(each, TREES),
            contestants.last_value(each),
            contestants.climatology(each),
            contestants.energinet(each),
        ]
    return entries
