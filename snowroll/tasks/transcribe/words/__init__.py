"""Which of a few words was said: commands, digits, wake words."""

from snowroll.tasks.transcribe.words.task import SpokenWords

task = SpokenWords()
