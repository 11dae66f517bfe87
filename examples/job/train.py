"""A model small enough for an example: y = w * x + b, fitted by gradient descent.

Change a line, do not commit, run it in the cluster.
"""

import os
import random

RATES = (0.03, 0.1, 0.3, 1.0)
"""The learning rates a sweep tries: that of index 0, 1, … in an Indexed Job."""
STEPS = 200


def train(rate: float) -> tuple[float, float, float]:
    """Fit the line; returns its slope, its offset and the mean squared error."""
    chance = random.Random(0)
    points = [(x / 50, 3 * x / 50 - 1 + chance.gauss(0, 0.05)) for x in range(50)]
    w = b = 0.0
    for step in range(1, STEPS + 1):
        errors = [(x, w * x + b - y) for x, y in points]
        w -= rate * 2 * sum(x * error for x, error in errors) / len(points)
        b -= rate * 2 * sum(error for _, error in errors) / len(points)
        if step % 50 == 0:
            print(f"step {step}: w {w:.3f}, b {b:.3f}", flush=True)
    return w, b, sum(error**2 for _, error in errors) / len(points)


def main() -> None:
    """Train with the rate of this pod's index; say which code it was."""
    rate = RATES[int(os.environ.get("JOB_COMPLETION_INDEX", "1")) % len(RATES)]
    print(f"code {os.environ.get('GIT_GHOST_HASH', 'unknown')}, learning rate {rate}")
    w, b, error = train(rate)
    print(f"learned y = {w:.3f} x + {b:.3f}, mean squared error {error:.5f}")


if __name__ == "__main__":
    main()
