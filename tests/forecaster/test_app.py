"""Every page and every state of the app, run by Streamlit's own test runner on a real small warehouse."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from forecaster import cached
from warehouse.connection import connect

Database = dict[str, str]
Open = Callable[..., AppTest]
PAGES = ("forecast", "accuracy", "budget", "scenarios", "anomalies", "your_data")
SHIFTED = """
    insert into public_marts.usage_hourly
    select (u).* from (
        select jsonb_populate_record(u, jsonb_build_object('hour_at', u.hour_at + interval '2 hours')) as u
        from public_marts.usage_hourly as u
        where hour_at > (select max(hour_at) - interval '2 hours' from public_marts.usage_hourly)
    ) as later
"""


@pytest.fixture
def app(repo_root: Path) -> Iterator[Open]:
    def clear() -> None:
        if (opened := _opened_pool()) is not None:
            opened.close()
        st.cache_data.clear()
        st.cache_resource.clear()

    def start(page: str = "forecast", **query: str) -> AppTest:
        test = AppTest.from_file(str(repo_root / "forecaster" / "streamlit_app.py"), default_timeout=60)
        for name, value in query.items():
            test.query_params[name] = value
        test.run()
        return test if page == "forecast" else test.switch_page(f"app_pages/{page}.py").run()

    clear()
    yield start
    clear()


def _opened_pool() -> Any:
    """Return the pool if a page has opened one, without opening it."""
    try:
        return cached.pool()
    except Exception:
        return None


def sql(statement: str) -> None:
    with connect() as connection:
        connection.execute(statement)


def words(test: AppTest) -> str:
    elements = (*test.title, *test.header, *test.subheader, *test.markdown, *test.caption, *test.info, *test.warning)
    return "\n".join(str(element.value) for element in elements)


@pytest.mark.parametrize("page", PAGES)
def test_page_shows_no_error(app: Open, forecast_warehouse: Database, page: str) -> None:
    test = app(page)
    assert not test.exception and not test.error
    assert test.title
    assert "cannot be forecast" not in words(test)


def test_forecast_is_drawn_from_tables_without_a_fit(
    app: Open, forecast_warehouse: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise AssertionError("a fit")

    monkeypatch.setattr(cached, "forecast", fail)
    test = app()
    assert not test.exception
    assert [metric.label for metric in test.metric] == [
        "Next 24 hours (requests)",
        "Busiest hour",
        "80 % ranges held",
        "Typical error",
    ]
    assert test.get("plotly_chart")


def test_address_chooses_metric_segment_horizon_grain_and_zone(app: Open, forecast_warehouse: Database) -> None:
    test = app(metric="Cost", segment="Tier enterprise", horizon="30 days", grain="24-hour totals", tz="Asia/Tokyo")
    assert test.title[0].value == "Cost to come"
    text = words(test)
    assert "Tier enterprise" in text and "Asia/Tokyo" in text
    assert "only totals of 24 hours" in text
    assert test.metric[0].value.startswith("$")


def test_unknown_words_in_the_address_are_ignored(app: Open, forecast_warehouse: Database) -> None:
    test = app(metric="Happiness", segment="Model none", horizon="1 year", tz="Mars/Base")
    assert not test.exception
    assert test.title[0].value == "Requests to come"


def test_segment_that_is_not_stored_is_fitted(app: Open, forecast_warehouse: Database) -> None:
    sql("delete from forecast.series where segment_kind = 'tier'")
    test = app(segment="Tier enterprise")
    assert not test.exception
    assert test.metric[0].label == "Next 24 hours (requests)"


def test_stale_forecast_says_so_and_is_fitted_on_demand(app: Open, forecast_warehouse: Database) -> None:
    sql(SHIFTED)
    test = app()
    assert "made 2 hours of data ago" in words(test)
    next(button for button in test.button if button.label == "Fit again now").click()
    test.run()
    assert not test.exception and "hours of data ago" not in words(test)


@pytest.mark.parametrize("page", PAGES[:5])
def test_empty_warehouse_says_what_fills_it(app: Open, database: Database, page: str, use: Callable[..., None]) -> None:
    use(database)
    test = app(page)
    assert not test.exception
    assert "Nothing to forecast yet" in words(test) and "make pipeline" in words(test)


@pytest.mark.parametrize("page", PAGES)
def test_database_that_is_down_is_said_and_your_data_works_without(
    app: Open, page: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PGHOST", str(tmp_path))
    monkeypatch.setattr(cached, "WAIT_S", 0.05)
    monkeypatch.setattr(cached, "PAUSE_S", 0.0)
    test = app(page)
    assert not test.exception
    assert ("does not answer" in words(test)) == (page != "your_data")


@pytest.mark.parametrize(("hours", "state"), [(100, "Short history"), (36, "Provisional"), (12, "Level only")])
@pytest.mark.parametrize("page", ["forecast", "accuracy", "anomalies"])
def test_short_history_says_how_much_is_missing(
    app: Open, small_warehouse: Database, page: str, hours: int, state: str
) -> None:
    sql(
        "delete from public_marts.usage_hourly"
        f" where hour_at <= (select max(hour_at) - interval '{hours} hours' from public_marts.usage_hourly)"
    )
    test = app(page)
    assert not test.exception and not test.error
    if page == "forecast":
        assert state in words(test) and "more hours for calibrated bands" in words(test)


@pytest.mark.parametrize("page", ["budget", "scenarios"])
def test_short_history_has_no_month_to_draw_and_says_so(app: Open, small_warehouse: Database, page: str) -> None:
    sql(
        "delete from public_marts.usage_hourly"
        " where hour_at <= (select max(hour_at) - interval '30 hours' from public_marts.usage_hourly)"
    )
    test = app(page)
    assert not test.exception and not test.error
    assert "expected 5 days of history" in words(test)


def test_traffic_without_prices_has_no_cost_and_says_so(app: Open, small_warehouse: Database) -> None:
    sql("update public_marts.usage_hourly set cost_usd = null")
    test = app(metric="Cost")
    assert not test.exception
    assert "expected requests with a price" in words(test)
    assert "expected requests with a price" in words(app("budget"))


def test_budget_answers_with_a_date_or_a_probability(app: Open, forecast_warehouse: Database) -> None:
    test = app("budget", budget="0.01")
    text = words(test)
    assert "used up already" in text or "with 80 % probability" in text
    assert "Chance to exceed the budget" in [metric.label for metric in test.metric]


def test_rate_limit_lists_the_hours_at_risk(app: Open, forecast_warehouse: Database) -> None:
    test = app("budget", limit="0.5")
    assert "have a chance of at least 5 %" in words(test)
    assert len(test.dataframe) == 1


def test_scenario_is_shown_against_the_base_case(app: Open, forecast_warehouse: Database) -> None:
    test = app("scenarios")
    test.slider(key="traffic").set_value(100).run()
    base, changed, _ = (float(metric.value.replace("$", "").replace("+", "")) for metric in test.metric)
    assert changed == pytest.approx(2 * base, rel=0.01)
    test.slider(key="share").set_value(50).run()
    assert not test.exception
    assert any("must bear" in header.value for header in test.header)


def test_accuracy_prefers_stored_runs_once_a_day_of_them_has_come(app: Open, forecast_warehouse: Database) -> None:
    sql("update forecast.runs set as_of = as_of - interval '48 hours'")
    sql("update forecast.points set starts_at = starts_at - interval '48 hours'")
    sql("""
        insert into forecast.actuals
        select segment_kind, segment, metric, starts_at, forecast from forecast.points
        where kind = 'hour' and starts_at < (select max(hour_at) from public_marts.usage_hourly)
    """)
    test = app("accuracy")
    assert not test.exception
    assert ("Inside the 80 % range", "100 %") in [(metric.label, metric.value) for metric in test.metric]


def test_level_shift_names_its_models_and_can_be_the_start_of_training(app: Open, forecast_warehouse: Database) -> None:
    sql("update public_marts.usage_hourly set requests = requests * 9 where hour_at > timestamptz '2025-12-28'")
    test = app("anomalies")
    assert any("times the 3 days before" in option for option in test.selectbox(key="shift").options)
    next(button for button in test.button if button.label == "Forecast from this shift on").click().run()
    assert not test.exception
    test.switch_page("app_pages/forecast.py").run()
    assert "Trained on the data from" in words(test) and "more hours for calibrated bands" in words(test)
    next(button for button in test.button if button.label == "Use all history").click().run()
    assert "Trained on the data from" not in words(test)


def csv_of(hours: int, extra: str = "") -> bytes:
    rows = [f"2025-01-{6 + hour // 24:02}T{hour % 24:02}:00:00Z,{100 + hour % 24}" for hour in range(hours)]
    return ("ds,requests\n" + "\n".join(rows) + extra).encode()


def upload(test: AppTest, content: bytes) -> AppTest:
    return test.file_uploader[0].set_value(("mine.csv", content, "text/csv")).run()


def test_own_file_gets_the_same_forecast(app: Open, forecast_warehouse: Database) -> None:
    test = upload(app("your_data"), csv_of(240))
    assert not test.exception
    assert {"Next 24 hours (requests)", "Busiest hour"} <= {metric.label for metric in test.metric}
    assert {"Error by hours ahead", "Do the ranges hold?"} <= {header.value for header in test.header}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "expected a header with a time column"),
        (b"\xff\xfe\x00", "expected a header with a time column"),
        (b"ds,requests\n", "expected rows under the header"),
        (csv_of(3, "\n2025-01-07T00:00:00Z,-4"), "expected numbers from 0"),
        (csv_of(3, "\n2025-01-07T00:00:00Z,many"), "expected numbers from 0"),
        (csv_of(3, "\nyesterday,4"), "expected rows with a time"),
        (csv_of(3, "\n2025-01-06T00:00:00Z,777"), "2025"),
        (b"ds,requests\n2025-01-06T00:00:00Z,\n2025-01-06T01:00:00Z,", "observed hour"),
    ],
)
def test_bad_file_gets_one_clear_message(
    app: Open, forecast_warehouse: Database, content: bytes, expected: str
) -> None:
    test = upload(app("your_data"), content)
    assert not test.exception
    assert "This cannot be forecast" in words(test) and expected in words(test).replace("\\", "")


@pytest.mark.parametrize("values", [["5"] * 72, ["0"] * 72, ["7"]])
def test_odd_series_are_labelled_results(app: Open, forecast_warehouse: Database, values: list[str]) -> None:
    rows = [f"2025-01-{6 + hour // 24:02}T{hour % 24:02}:00:00Z,{value}" for hour, value in enumerate(values)]
    test = upload(app("your_data"), ("ds,requests\n" + "\n".join(rows)).encode())
    assert not test.exception
    assert test.metric[0].label == "Next 24 hours (requests)"
