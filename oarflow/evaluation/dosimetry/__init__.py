"""What contours mean for dose."""
