"""Live markets: the same protocols among real participants, on asyncio."""
