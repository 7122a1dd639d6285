"""Consensus: the room is open; Raft, PBFT, stake-weighted and plain voting come here next."""
