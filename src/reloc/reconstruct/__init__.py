"""What a map says that its place looks like: depth of its views, and coloured points of them."""
