"""The forecast in the formats of other people's tools: a module for each, and what they have in common."""
