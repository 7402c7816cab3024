"""Samples of contracts, and contracts held against live rows."""
