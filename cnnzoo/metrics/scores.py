"""A measured number together with what it takes to measure it again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Score:
    """One number of an evaluation.

    Attributes:
        name: Of the quantity, such as "accuracy".
        value: In `unit`.
        unit: "%", "nats", "dB" or "" for a bare number.
        better: "higher", "lower", or "" for neither: a point of reference, or a number that is best at another one.
        n: How many images it was measured on.
        interval: Its 95 % interval, or None.
        protocol: All that the value depends on beside the images.
    """

    name: str
    value: float
    unit: str
    better: Literal["higher", "lower", ""]
    n: int
    interval: tuple[float, float] | None = None
    protocol: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As plain values; `from_json` reads them back. In JSON a value that is no finite number is null."""
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
