"""What follows a text: language models over characters or bytes."""

from snowroll.tasks.write_text.task import WriteText

task = WriteText()
