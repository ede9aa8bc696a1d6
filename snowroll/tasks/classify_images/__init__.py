"""One class for one picture."""

from snowroll.tasks.classify_images.task import ClassifyImages

task = ClassifyImages()
