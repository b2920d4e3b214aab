"""Flags: reasons to doubt a contour or a study, each as a code, a sentence and its figures."""
