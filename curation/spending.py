"""What mending by an endpoint has used."""

from dataclasses import dataclass

from .recipe import Price
from .table import Table, details


@dataclass(frozen=True)
class Spending:
    """Tokens in and out of all replies that were not in the cache, and what they cost, where the recipe has a price."""

    tokens_in: int
    tokens_out: int
    cost: float | None

    def __str__(self) -> str:
        cost = "" if self.cost is None else f", cost {self.cost:.4g}"
        return f"{self.tokens_in:,} tokens in, {self.tokens_out:,} out{cost}"


def spending(table: Table, price: Price | None) -> Spending:
    """What was used for the rows of a table."""
    used = [details(row["mend"]) for row in table.rows]
    tokens_in, tokens_out = (sum(one.get(key, 0) for one in used) for key in ("tokens_in", "tokens_out"))
    cost = None if price is None else (tokens_in * price.input + tokens_out * price.output) / 1e6
    return Spending(tokens_in, tokens_out, cost)
