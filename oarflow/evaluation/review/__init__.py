"""What physicists say of contours: reviews, blinded comparisons, edits, pictures."""
