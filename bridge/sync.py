"""Inserting jobs from code without an event loop: Flask, Django, scripts."""
