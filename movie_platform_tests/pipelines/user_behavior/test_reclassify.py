"""A day that another classifier judged is done again when asked, from what the lake holds."""

from datetime import timedelta
from pathlib import Path

import pytest

from movie_platform.commands.behavior import run_days
from movie_platform.pipelines.user_behavior.classifiers import label
from movie_platform.settings import load_settings
from movie_platform_tests.pipelines.user_behavior.conftest import DAY, NEXT_DAY
from movie_platform_tests.pipelines.user_behavior.test_assets import Platform, buy

REVIEWS = "cid,review_str\n7,A wonderful and touching film. I loved it!\n7,good grief: an awful waste of time\n"


def test_days_of_another_classifier_are_judged_again_and_the_others_left_alone(
    tmp_path: Path, shop: str, capsys: pytest.CaptureFixture[str]
) -> None:
    platform = Platform(tmp_path, purchases=shop)
    for day in (DAY, NEXT_DAY):
        buy(shop, ("1", 1, "1", 7), day=day)
        platform.review(REVIEWS, day)
    last = NEXT_DAY + timedelta(days=1)
    by_model = load_settings(**{**platform.settings.model_dump(), "review_classifier": "model"})
    assert run_days(platform.settings, DAY, DAY)
    assert run_days(by_model, NEXT_DAY, NEXT_DAY)
    assert [row["classifier"] for row in platform.rows()] == ["token 1", label("model")]

    (tmp_path / "raw" / "movie_review" / str(DAY) / "movie_review.csv").unlink()
    assert run_days(by_model, DAY, last, reclassify=True)
    assert "Days gone through: 1" in capsys.readouterr().out
    assert [(row["classifier"], row["review_score"]) for row in platform.rows()] == [(label("model"), 1)] * 2

    assert run_days(by_model, DAY, last, reclassify=True)
    assert "was judged by another classifier" in capsys.readouterr().out
