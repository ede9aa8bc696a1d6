"""Snowroll 小雪球: an open data engine for deep learning. A snowball grows by rolling."""

__version__ = "0.1.0"
