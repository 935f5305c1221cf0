"""The ways of building features that `benchmarks/features.py` compares, and what they build from.

`shop` writes the logs, `columns` says what is to be built; `bare`, `sql`, `frames`, `dfs` and
`own` are the ways, each run by `run` in a process of its own; `turns` lets them take turns, and
`agreement` compares what they wrote.
"""
