"""The transforms as queries, each by the call that describes it.

queries.json holds their SQL for DuckDB, so that a build in process neither imports Ibis nor waits for it. It is what
Ibis makes of `transforms`, where queries are changed; `make queries` writes it anew, and a test compares the two.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from movie_platform.engine.relation import Relation

if TYPE_CHECKING:
    import ibis.expr.types as ir


def query(name: str, *arguments: Any) -> Relation:
    """What a function of `transforms` makes of relations and plain values; functions of an engine's come in a mapping.

    A call whose SQL is not kept is described by Ibis when it is run, with the same result.
    """
    shown = [
        argument.name if isinstance(argument, Relation) else repr(argument)
        for argument in arguments
        if not isinstance(argument, Mapping)
    ]
    call = f"{name}({', '.join(shown)})"

    def make() -> "ir.Table":
        from movie_platform.pipelines.movies_dataset import transforms

        given = [argument.table if isinstance(argument, Relation) else argument for argument in arguments]
        made: ir.Table = getattr(transforms, name)(*given)
        return made

    return Relation(call, make, saved().get(call))


@cache
def saved() -> Mapping[str, str]:
    """The SQL that is kept, by call."""
    found: dict[str, str] = json.loads(files(__package__).joinpath("queries.json").read_text("utf-8"))
    return found
