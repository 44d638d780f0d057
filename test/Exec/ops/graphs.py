"""Graphs with sequences, loops and branches, as text, with their inputs."""

import numpy as np


def ints(*values):
    return np.array(values, np.int64)


# Stacks a row for each even number below a bound that only data tells.
STACKED = """
<ir_version: 10, opset_import: ["" : 21]>
stacked (int64 limit, float[N] x) => (float[M, N] rows, int64 count) {
  start = Constant <value_int = 0> ()
  true = Constant <value = bool {1}> ()
  count, rows = Loop (limit, true, start) <body = graph (int64 i, bool go, int64 n)
      => (bool again, int64 next, float[N] row) {
    two = Constant <value_int = 2> ()
    next = Add (n, two)
    wide = Cast <to = 1> (n)
    row = Add (x, wide)
    again = Less (next, limit)
  }>
}
"""

# A carried value that grows by data: the numbers above each threshold are appended.
GROWING = """
<ir_version: 10, opset_import: ["" : 21]>
growing (float[N] x, float[T] thresholds) => (float[K] kept) {
  none = Constant <value = float[0] {}> ()
  zero = Constant <value_int = 0> ()
  true = Constant <value = bool {1}> ()
  shape = Shape (thresholds)
  trips = Gather (shape, zero)
  kept = Loop (trips, true, none) <body = graph (int64 i, bool go, float[A] before)
      => (bool again, float[B] after) {
    threshold = Gather (thresholds, i)
    above = Greater (x, threshold)
    chosen = Compress (x, above)
    after = Concat <axis = 0> (before, chosen)
    again = Identity (go)
  }>
}
"""

# Sequences through a loop and a branch, taken apart and put together.
SEQUENCES = """
<ir_version: 10, opset_import: ["" : 21]>
sequences (float[N, 3] x, int64[P] lengths, bool reversed) => (float[M, 3] joined, int64 parts, float[K, 3] last) {
  zero = Constant <value_int = 0> ()
  true = Constant <value = bool {1}> ()
  minus = Constant <value_int = -1> ()
  split = SplitToSequence <axis = 0> (x, lengths)
  parts = SequenceLength (split)
  empty = SequenceEmpty ()
  ordered = If (reversed) <then_branch = graph () => (seq(float[A, 3]) turned) {
    turned = Loop (parts, true, empty) <body = graph (int64 i, bool go, seq(float[B, 3]) before)
        => (bool again, seq(float[C, 3]) after) {
      part = SequenceAt (split, i)
      after = SequenceInsert (before, part, zero)
      again = Identity (go)
    }>
  }, else_branch = graph () => (seq(float[D, 3]) same) {
    same = Identity (split)
  }>
  last = SequenceAt (ordered, minus)
  shorter = SequenceErase (ordered, zero)
  joined = ConcatFromSequence <axis = 0> (shorter)
}
"""

X = np.arange(21, dtype=np.float32).reshape(7, 3) - 10

CASES = [
    ("stacked", STACKED, [np.int64(9), X[0]]),
    ("stacked-once", STACKED, [np.int64(1), X[0]]),
    ("growing", GROWING, [X[:, 0], np.float32([0, -20, 5, 100])]),
    ("growing-never", GROWING, [X[:, 0], np.float32([])]),
    ("sequences", SEQUENCES, [X, ints(2, 0, 4, 1), np.array(True)]),
    ("sequences-same", SEQUENCES, [X, ints(3, 4), np.array(False)]),
]
