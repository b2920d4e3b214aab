"""Networks measured on the tuning patients, while they are trained and afterwards."""
