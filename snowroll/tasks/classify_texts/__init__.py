"""Which class a text is of: sentiment, spam, topics, languages, intents."""

from snowroll.tasks.classify_texts.task import ClassifyTexts

task = ClassifyTexts()
