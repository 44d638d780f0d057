"""Whether what a program gives is what ONNX Runtime gives."""

import numpy as np

# Relative, and absolute as a share of the largest element of any value of the step: a
# difference of two sums has the error of the sums.
TOLERANCES = {np.dtype(np.float32): (1e-4, 2e-6), np.dtype(np.float16): (5e-3, 2e-3)}
LARGEST = {np.dtype(np.float32): 1e4, np.dtype(np.float16): 1e3}


class Scale:
    """What the values of a step say of its rounding errors."""

    def __init__(self, values):
        self.largest, self.tame = 1.0, True
        self.halves = any(array.dtype == np.float16 for array in values)
        for array in values:
            if array.dtype not in TOLERANCES:
                continue
            finite = np.abs(array[np.isfinite(array)].astype(np.float64))
            top = finite.max(initial=0)
            self.largest = max(self.largest, top)
            self.tame &= bool(top <= LARGEST[array.dtype])

    def tolerance(self, dtype):
        kind = np.dtype(np.float16) if self.halves else dtype
        relative, absolute = TOLERANCES[kind]
        return relative, absolute * self.largest


def difference(got, expected, scale):
    """Why two arrays differ, or ""."""
    if got.dtype != expected.dtype:
        return f"type {got.dtype}, expected {expected.dtype}"
    if got.shape != expected.shape:
        return f"shape {got.shape}, expected {expected.shape}"
    if expected.dtype in TOLERANCES:
        rtol, atol = scale.tolerance(expected.dtype)
        apart = ~np.isclose(got.astype(np.float64), expected.astype(np.float64), rtol=rtol,
                            atol=atol, equal_nan=True)
    else:
        apart = got != expected
    if not apart.any():
        return ""
    place = tuple(int(i[0]) for i in np.nonzero(apart)) if apart.ndim else ()
    return (f"{apart.sum()} of {apart.size} elements differ; at {place}: got {got[place]}, "
            f"expected {expected[place]}")
