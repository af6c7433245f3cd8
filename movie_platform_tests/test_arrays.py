"""Arrays are those of PyArrow, made without pandas."""

from typing import Any

import hypothesis
import hypothesis.strategies as st
import pyarrow as pa
import pytest

from movie_platform.arrays import array_of

LEAVES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): st.text(st.characters(exclude_categories=["Cs"]), max_size=4),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.float64(): st.floats(allow_nan=False),
    pa.bool_(): st.booleans(),
}


def of_type(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_list(kind):
        return st.none() | st.lists(of_type(kind.value_type), max_size=3)
    if pa.types.is_struct(kind):
        fields = {field.name: of_type(field.type) for field in kind}
        return st.none() | st.fixed_dictionaries({}, optional=fields)
    return st.none() | LEAVES[kind]


kinds = st.recursive(
    st.sampled_from(list(LEAVES)),
    lambda inner: (
        inner.map(pa.list_) | st.tuples(inner, inner).map(lambda two: pa.struct(list(zip("ab", two, strict=True))))
    ),
    max_leaves=4,
)


@hypothesis.settings(max_examples=200, deadline=None)
@hypothesis.given(st.data(), kinds)
def test_values_of_a_type_become_the_array_that_pyarrow_makes(data: st.DataObject, kind: pa.DataType) -> None:
    values = data.draw(st.lists(of_type(kind), max_size=10))
    made = array_of(values, kind)
    made.validate(full=True)
    assert made.equals(pa.array(values, kind))


def test_what_is_no_such_type_is_refused() -> None:
    with pytest.raises(TypeError, match="date32"):
        array_of([None], pa.date32())
