"""What the forecast means for a reader: the cleanest hours to use power, and how clean a value is."""
