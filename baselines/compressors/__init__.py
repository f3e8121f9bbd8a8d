"""Baseline compressors."""
