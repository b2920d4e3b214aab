"""What speaks against a contour or a study: every flag as a code, a sentence and its figures."""
