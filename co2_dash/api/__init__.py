"""The REST API over the published snapshots."""
