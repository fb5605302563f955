"""The warehouse: the DuckDB files that runs write and that the pages read.

Storage belongs here: paths, the lock, transactions, views, migrations, published snapshots and the
recovery of damaged files. This package knows the contracts only; what the rows mean to a forecast
and when they are fetched is decided in `co2_assets.forecasting` and `co2_assets.pipeline`.
"""
