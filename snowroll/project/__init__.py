"""Floor 2½: an open project, where steps meet the store. What several verbs need stands here, so that no verb imports
another: samples to batches, plans, models saved and loaded, gates, judging, promotion, export, mining, reports.
"""
