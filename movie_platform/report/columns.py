"""The columns of the newest deliveries that are not as their source expects them."""

from movie_platform.monitoring.statuses import columns_of_all
from movie_platform.report.markup import joined, note, table
from movie_platform.report.section import Section
from movie_platform.report.sources import Inputs


def columns_section(inputs: Inputs) -> Section:
    rows = [
        (source, changed.file, changed.since, str(changed.change), changed.outcome)
        for source, found in columns_of_all(inputs.lake, inputs.settings).items()
        for changed in found
    ]
    if not rows:
        return Section("Columns", note("The newest delivery of each source has the columns that are expected."))
    about = note("Of the newest delivery of each source, the columns that are not as expected.")
    return Section("Columns", joined([about, table(("source", "file", "since", "it", "what happens"), rows)]))
