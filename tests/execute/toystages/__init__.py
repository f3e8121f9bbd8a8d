"""Stages for tests of the pool: each does one thing, well or badly."""
