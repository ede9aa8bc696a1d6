"""Every pixel of a picture with a class; instances where the data tells them apart."""

from snowroll.tasks.segment_images.task import SegmentImages

task = SegmentImages()
