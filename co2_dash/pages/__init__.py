"""The four pages, the frame around them, and the components that they are made of."""
