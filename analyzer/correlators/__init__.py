"""Correlators: what needs earlier frames."""
