"""The outside world: the service's client, and an emulator of the service that the client reads too."""
