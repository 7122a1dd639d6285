"""Auctions: the room is open; English, Dutch, sealed-bid, double and combinatorial auctions come next."""
