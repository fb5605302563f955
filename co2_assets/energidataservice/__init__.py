"""Access to Energinet's EnergiDataService.

Everything about requests and responses belongs here: the client, its errors, the rate limit, and the
emulator, which answers the same requests from a recording or a simulation. This package knows the
contracts only; what is fetched, and where the rows are stored, is decided in `co2_assets.pipeline`.
"""
