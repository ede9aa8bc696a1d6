"""What a sentence says in another language: parallel corpora."""

from snowroll.tasks.translate.task import Translate

task = Translate()
