"""Columns that several tables share, and the limits of plausible values.

Facts about the service: Energinet, EnergiDataService (https://www.energidataservice.dk, CC BY 4.0).
"""

from datetime import datetime, timedelta

from co2_assets.contracts.schema import Column, Kind, StuckTogether

# In g/kWh. In 2023-2024 the carbon intensity of electricity consumed in Denmark was 11 to 334.
# The prognosis was once recorded stuck at 711, 756 and 1304 to 1329: those values are faults.
CO2_MAXIMUM = 600.0
# In MW: the installed capacity plus a margin. Production above it is a meter fault: 5417 MW were
# recorded for decentral production, of which about 2,200 MW are installed.
CENTRAL_MAXIMUM = 6000.0
DECENTRAL_MAXIMUM = 3000.0
WIND_MAXIMUM = 10000.0
SOLAR_MAXIMUM = 12000.0
# Small negative production is real: a plant consumes power itself.
PRODUCTION_MINIMUM = -200.0
EXCHANGE_MAXIMUM = 12000.0

DANISH_PRICE_AREAS = ("DK1", "DK2")

# A value was seen to come, or to be revised, more than a day late, and once on the third day.
REVISED_FOR = timedelta(days=7)

PRICE_AREA = Column(
    "price_area",
    Kind.TEXT,
    "Price area: DK1 is western Denmark, DK2 eastern; DK stands for both.",
    nullable=False,
)

# The key of what is measured of a price area every five minutes.
FIVE_MINUTES_KEY = (
    Column(
        "price_area",
        Kind.TEXT,
        "Price area measured (DK1 or DK2).",
        nullable=False,
        service_name="PriceArea",
    ),
    Column(
        "minute_utc",
        Kind.TIMESTAMP,
        "Start of the five minutes measured.",
        "UTC",
        nullable=False,
        service_name="Minutes5UTC",
    ),
)


def power_column(
    name: str, service_name: str, description: str, maximum: float, minimum: float = PRODUCTION_MINIMUM
) -> Column:
    """A column of power in MW, between ``minimum`` and ``maximum``."""
    return Column(
        name,
        Kind.DOUBLE,
        description,
        "MW",
        minimum=minimum,
        maximum=maximum,
        service_name=service_name,
    )


# How long a real value stays the same depends on its digits. The national series has two decimals: in the
# recording of 2023-2024 no hour's mean repeated for longer than 2 hours.
NATIONAL_STUCK_AFTER = timedelta(hours=6)
# The series of the price areas have whole grams. In 23 months of the recorded prognosis one area stood still
# for up to 7.1 hours (DK2; DK1 5.9) while the other moved, and in 22 months of the settled declaration,
# rounded to grams, for up to 9 hourly means. So a neighbour that moves is no sign of a fault. Standing still
# together is: real values did so for at most 3.8 hours in the prognosis and 6 hourly means in the
# declaration, and recorded faults (711, 756 and 1304 g/kWh) for 14 to 24.
AREA_STUCK_AFTER = timedelta(hours=12)
# Until then the service gave both areas one national value.
AREAS_APART_SINCE = datetime(2023, 6, 6, 22)
AREAS_STUCK_TOGETHER = StuckTogether(timedelta(hours=8), AREAS_APART_SINCE)


def co2_column(
    description: str, stuck_after: timedelta, stuck_together: StuckTogether | None = None
) -> Column:
    """The column of carbon intensity; one value that lasts for ``stuck_after`` is a fault."""
    return Column(
        "co2_g_per_kwh",
        Kind.DOUBLE,
        description,
        "g/kWh",
        minimum=0.0,
        maximum=CO2_MAXIMUM,
        service_name="CO2Emission",
        stuck_after=stuck_after,
        stuck_together=stuck_together,
    )


POWER_COLUMNS = (
    power_column(
        "production_ge_100_mw",
        "ProductionGe100MW",
        "Production of central plants (100 MW and more).",
        CENTRAL_MAXIMUM,
    ),
    power_column(
        "production_lt_100_mw",
        "ProductionLt100MW",
        "Production of decentral plants (under 100 MW).",
        DECENTRAL_MAXIMUM,
    ),
    power_column("solar_mw", "SolarPower", "Solar production.", SOLAR_MAXIMUM),
    power_column("offshore_wind_mw", "OffshoreWindPower", "Offshore wind production.", WIND_MAXIMUM),
    power_column("onshore_wind_mw", "OnshoreWindPower", "Onshore wind production.", WIND_MAXIMUM),
    power_column(
        "net_exchange_mw",
        "Exchange_Sum",
        "Net exchange with neighbouring countries; positive is import.",
        EXCHANGE_MAXIMUM,
        -EXCHANGE_MAXIMUM,
    ),
)

# In MW, by border: twice what its cables and lines carry, because more are being built.
FLOW_COLUMNS = tuple(
    power_column(
        f"exchange_{name}_mw",
        service_name,
        f"Flow over the {border}; positive is import.",
        maximum,
        -maximum,
    )
    for name, service_name, border, maximum in (
        ("great_belt", "ExchangeGreatBelt", "Great Belt, between western and eastern Denmark", 1200.0),
        ("germany", "ExchangeGermany", "borders with Germany", 7000.0),
        ("netherlands", "ExchangeNetherlands", "cable to the Netherlands", 1400.0),
        ("great_britain", "ExchangeGreatBritain", "cable to Great Britain", 2800.0),
        ("norway", "ExchangeNorway", "cables to Norway", 3400.0),
        ("sweden", "ExchangeSweden", "borders with Sweden", 5000.0),
    )
)

FETCHED_AT = Column(
    "fetched_at_utc", Kind.TIMESTAMP, "When this row was last fetched.", "UTC", nullable=False
)
