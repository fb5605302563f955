"""The forecast itself, as pure functions of tables: no clock, no network, no database.

Times are naive UTC, powers are MW, carbon intensities g CO2 per kWh consumed.
"""
