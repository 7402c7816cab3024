"""Helpers for tests of applications that use Bridge."""
