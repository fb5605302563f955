"""What the pages and the API read: the snapshot, the state of its data, and the text for that state."""
