"""The demonstration: a small realistic workload through both doors, and the comparison of sent with received."""
