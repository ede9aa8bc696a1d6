"""One file a verb: the only place where steps meet the store. No verb imports another.

Beside the verbs stand what several of them need: project (an open project), data (samples to batches),
models (saved and loaded), judging (a model against a split, two models against each other), artifacts (export).
"""
