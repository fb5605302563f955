"""The charts and tables of the pages, each one chart: its data, its picture, its words."""
