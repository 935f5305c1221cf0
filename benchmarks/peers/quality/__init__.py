"""The models that `benchmarks/quality.py` compares, each run by `run` in a process of its own.

`own` is churnkit: it also writes what the others are given, so that all learn from the same events,
cutoffs and labels, and predict the same customers. `trees` is LightGBM with its defaults, `btyd`
the BG/NBD and Pareto/NBD models of PyMC-Marketing, `dfs` featuretools with LightGBM, `flaml` and
`gluon` are AutoML on churnkit's features. `optimum` knows how the simulated shop was made.
"""
