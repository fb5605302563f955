"""Each area by itself: one training of all three, and each area's own rivals on the same hours."""

from collections.abc import Mapping

from bench.accuracy import contestants
from bench.accuracy.contestants import Contestant
from bench.accuracy.gradient_boosting import boosted_trees
from bench.accuracy.recording import Say, Trial

OURS, TREES = "attention LSTM", "LightGBM"


def contests(trials: Mapping[str, Trial], say: Say) -> dict[str, list[Contestant]]:
    """By area: ours, as it is trained in production on all areas together, and its rivals.

    ValueError when an area has too little history.
    """
    say(f"training {OURS} on {', '.join(trials)} together")
    trained = contestants.train_ours_together(list(trials.values()))
    entries = {}
    for (name, each), own in zip(trials.items(), trained, strict=True):
        say(f"{name}: {OURS}, {TREES} and the others")
        entries[name] = [
            contestants.ours(each, OURS, own),
            boosted_trees(each, TREES),
            contestants.last_value(each),
            contestants.climatology(each),
            contestants.energinet(each),
        ]
    return entries
