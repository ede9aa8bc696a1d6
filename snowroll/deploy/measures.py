"""What Prometheus may scrape. Base units, no label with a value per client or per sample."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Measures:
    """One registry an app, so that two apps in one process keep their own counts."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Counter("snowroll_requests", "Requests to /v1/predict by status", ["status"], registry=registry)
        self.seconds = Histogram(
            "snowroll_request_duration_seconds", "From last byte in to answer", buckets=_SECONDS, registry=registry
        )
        self.inference = Histogram(
            "snowroll_inference_duration_seconds", "One run of the body", buckets=_SECONDS, registry=registry
        )
        self.batch = Histogram(
            "snowroll_batch_size",
            "Samples in one run of the body",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=registry,
        )
        self.predictions = Counter("snowroll_predictions", "Samples by predicted label", ["label"], registry=registry)
        self.items = Counter("snowroll_item_errors", "Samples that could not be used", registry=registry)
        self.swaps = Counter("snowroll_model_swaps", "Candidates by outcome", ["outcome"], registry=registry)
        self.records = Counter("snowroll_records", "Answers by what became of the copy", ["outcome"], registry=registry)
        self.waiting = Gauge("snowroll_queue_samples", "Samples accepted and not answered", registry=registry)
        self.model = Gauge("snowroll_model_info", "1 for the model that answers now", ["model"], registry=registry)

    def ran(self, size: int, seconds: float) -> None:
        self.batch.observe(size)
        self.inference.observe(seconds)

    def serves(self, model: str) -> None:
        self.model.clear()
        self.model.labels(model).set(1)

    def text(self) -> bytes:
        return generate_latest(self.registry)
