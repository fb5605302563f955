"""What pages and API are given: the store of snapshots and the clock."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from co2_assets.contracts.areas import DENMARK
from co2_dash.situation import Situation, situation_of
from co2_dash.store import SnapshotStore, View


@dataclass(frozen=True)
class Reader:
    """The store, and the wall clock in naive UTC."""

    store: SnapshotStore
    wall_clock: Callable[[], datetime]

    def look(self, price_area: str = DENMARK.name) -> tuple[View | None, Situation]:
        """Return the newest view and the situation it makes now of an area."""
        view = self.store.view()
        return view, situation_of(view, self.wall_clock(), price_area)
