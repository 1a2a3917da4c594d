"""tracknb in a kernel: the magics, the panel under a cell, and the widgets."""
