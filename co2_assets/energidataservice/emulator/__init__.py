"""The service in this process: it answers requests as Energinet does, from a recording or a simulation."""
