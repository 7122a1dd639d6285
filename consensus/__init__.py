"""Consensus: Raft as a pure core and its replicas, openers that are replicated over it, and the check of histories."""
