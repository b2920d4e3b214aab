"""Structures by recipe: margins, rings and combinations of contoured organs, in mm."""
