"""Contracts: one JSON Schema, from which both languages get typed job classes."""
