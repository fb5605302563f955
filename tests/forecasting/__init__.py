"""Tests of `co2_assets.forecasting`."""
