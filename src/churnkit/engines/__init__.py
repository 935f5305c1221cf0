"""Engines: ways to bring whole customers to the one kernel, wherever their rows are.

Each hands chunks of whole customers to the same check, fold and features that logs in memory go
through, so that the results are equal to the last bit.
"""
