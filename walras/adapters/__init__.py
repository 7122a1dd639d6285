"""Participants of many kinds, one short file each; what they stand on is an extra, imported when one is made."""
