"""The charts and tables of the pages, each one exhibit: its data, its picture, its words."""
