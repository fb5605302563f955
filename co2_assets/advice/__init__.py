"""What a forecast means for a reader, as pure functions: the cleanest hours, and how clean a value is."""
