"""The charts and tables of the pages: for each its data, its figure and its texts."""
