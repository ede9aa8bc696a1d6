"""A toy task: does a sentence ask or tell? One folder, nothing else; tests put it into a house of its own."""

from .task import Questions

task = Questions()
