"""Readers of what phones, scanners and other programs write; one file for each layout."""
