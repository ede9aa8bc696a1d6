"""Objects in pictures, each with a box and a class."""

from snowroll.tasks.detect_objects.task import DetectObjects

task = DetectObjects()
