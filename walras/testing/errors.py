"""What a failed check says: which promise, who broke it, and when."""


class ContractError(AssertionError):
    """A role, a mechanism or a runtime does not keep a promise of ``docs/contract.md``."""


def demand(kept: object, complaint: str) -> None:
    """Raise `ContractError` unless it is so."""
    if not kept:
        raise ContractError(complaint)
