"""What to do about a notice, in a sentence or two; docs/operations.md says more under the name that each ends with."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from movie_platform.notify.notices import EvaluationEnded, RunEnded

RUNBOOK = "docs/operations.md"


def advice_on_evaluation(evaluation: "EvaluationEnded") -> str:
    """Empty where nobody has to act."""
    if evaluation.is_good_news:
        return ""
    day = evaluation.date
    if evaluation.ends_as:
        first = f"have {evaluation.dataset} of {day} delivered again, corrected; it is taken up by itself."
    else:
        first = (
            f"good rows are loaded; bad ones lie in bad-records/{evaluation.dataset}/{day}.parquet with their reasons."
        )
    return (
        f"{first} If the rule is wrong and not the data, change it and run `movie-platform quality replay --from {day} "
        f"--to {day}`. {RUNBOOK}: Rules were not passed"
    )


def advice_on_run(run: "RunEnded") -> str:
    """Empty where nobody has to act."""
    if run.is_good_news:
        return ""
    of = f" of {run.partitions}" if run.partitions else ""
    if run.succeeded:
        return (
            f"the data{of} is loaded; see in the UI what the failed checks found and since when. "
            f"{RUNBOOK}: A run succeeded with failed checks"
        )
    return (
        f"if the reason names a delivery, have that{of} delivered again; if something could not be reached, the next "
        f"attempt comes by itself. To try again at once, re-execute the run. {RUNBOOK}: A run failed"
    )
