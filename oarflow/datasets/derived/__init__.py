"""Labels that rules derive from CTs. Each rule is stated where it is carried out."""
