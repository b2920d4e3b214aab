"""Planned dose: RTDOSE as Gy in patient space, and dose-volume figures of a mask."""
