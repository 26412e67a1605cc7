"""Scores with their protocol."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Score:
    """A score of an evaluation, with its protocol.

    Attributes:
        name: Of the quantity, such as "accuracy".
        value: In `unit`.
        unit: "%", "nats", "dB" or "" for a bare number.
        better: "higher", "lower", or "" for neither, such as a reference value.
        n: Number of images.
        interval: 95 % interval, or None.
        protocol: All other dependencies of the value.
    """

    name: str
    value: float
    unit: str
    better: Literal["higher", "lower", ""]
    n: int
    interval: tuple[float, float] | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """A JSON-compatible dict, the inverse of `from_json`; non-finite values become null in JSON."""
        content = asdict(self)
        return {**content, "value": float(self.value), "interval": self.interval and list(map(float, self.interval))}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "Score":
        value, interval = content["value"], content.get("interval")
        value = float("nan") if value is None else value
        return cls(**{**content, "value": value, "interval": interval and tuple(interval)})

    def __str__(self) -> str:
        text = f"{self.value:.4g}" if abs(self.value) < 1000 else f"{self.value:.0f}"
        if self.unit == "%":
            text = f"{self.value:.2f}"
        return f"{text} {self.unit}".strip()
