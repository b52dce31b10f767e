"""Thresholds: tables and limits become verdicts."""
