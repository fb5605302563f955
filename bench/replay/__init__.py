"""A year of six-hourly runs over recorded data: what retraining is asked for, and what it brings."""
