"""The pages people watch and the REST API, both read from published snapshots alone."""
