"""The four pages, the frame around them, and the parts they are put together from."""
