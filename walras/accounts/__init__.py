"""Money and slots: a double-entry ledger, the agents' books in it, and what lies in escrow."""

from walras.accounts.books import AccountBook, Exact
from walras.accounts.ledger import Ledger, Posting

__all__ = ["AccountBook", "Exact", "Ledger", "Posting"]
