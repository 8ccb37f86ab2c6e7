"""TCP: connections tracked, their figures and facts, the bytes and messages of their streams."""
