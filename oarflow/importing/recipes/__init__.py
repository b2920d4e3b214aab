"""Recipes: how to import the networks of TotalSegmentator and CADS, one YAML file for each.

A folder holds the recipes of one program, by the number of the nnU-Net data set, and the facts that
they share in `program.yaml`.
"""
