"""Speech to text; in `words`, which of a few words was said."""

from snowroll.tasks.transcribe.task import Transcribe

task = Transcribe()
