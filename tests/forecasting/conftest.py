"""A small world and a small model of it, made once: nothing here changes them."""

from pathlib import Path

import pytest

from co2_assets.forecasting.inputs.known_data import KnownData
from co2_assets.forecasting.network.trained_model import TrainedModel
from co2_assets.forecasting.network.training import train
from tests.support.worlds import TINY, TRAINED_UNTIL, recorded, world


@pytest.fixture(scope="session")
def data() -> KnownData:
    return world()


@pytest.fixture(scope="session")
def model(data: KnownData) -> TrainedModel:
    return train(data, until=TRAINED_UNTIL, seed=3, config=TINY)


@pytest.fixture(scope="session")
def archive(archive_dir: Path) -> KnownData:
    return recorded(archive_dir)
