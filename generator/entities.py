"""Make the tables that requests refer to: users, models, endpoints, dates.

Pure: seed and window in, Arrow tables out. Ids count from 1 in order of sign-up and of release, so 'who exists on
a day' is always a prefix of the table (traffic.py relies on it).
The names of models and providers are invented: made-up latencies and error rates must not speak about real products.
"""

import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pyarrow as pa
from faker import Faker

from generator.distributions import TIER_SHARES, TIERS, Floats, Ints, child_stream

USERS_STREAM = 1  # the child of the seed that users are drawn from; traffic.py uses 2 and 3

# --- Numbers of our own choosing (the contract names only about 300 companies for 2,000 users) ---------------------
COMPANIES_PER_USER = 0.15
NEW_USER_SHARE = 1 / 3  # of each tier signs up inside the window, so that cohorts and funnels have something to show
HISTORY_DAYS = 1_095  # the others signed up in the three years before it
HEADCOUNT_MEDIAN, HEADCOUNT_SIGMA = 120, 1.6  # log-normal company sizes, from a handful to over ten thousand
SEATS_EXPONENT = 0.6  # accounts grow slower than headcount
TIER_NOISE = 1.5  # spread, in log headcount, of how much a user's tier follows the company's size
NAME_POOL = 200  # first and last names per locale; combined at random, so 1 M users cost no more Faker calls

SIZE_BANDS = ((10, "1-10"), (50, "11-50"), (200, "51-200"), (1_000, "201-1000"), (5_000, "1001-5000"))
LARGEST_BAND = "5001+"
INDUSTRIES = {
    "Software": 24, "Financial services": 14, "Healthcare": 11, "Retail": 10, "Media": 8, "Manufacturing": 8,
    "Education": 7, "Legal": 5, "Logistics": 5, "Public sector": 4, "Energy": 2, "Travel": 2,
}  # fmt: skip
COUNTRIES = {
    "US": ("en_US", 34), "GB": ("en_GB", 11), "DE": ("de_DE", 10), "IN": ("en_IN", 9), "FR": ("fr_FR", 7),
    "CA": ("en_US", 6), "BR": ("pt_BR", 5), "NL": ("nl_NL", 4), "AU": ("en_US", 4), "ES": ("es_ES", 3),
    "SE": ("sv_SE", 3), "IT": ("it_IT", 2), "PL": ("pl_PL", 2),
}  # fmt: skip
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Window:
    """The calendar days, in UTC, that requests fall on."""

    start: date
    days: int

    def day(self, index: int) -> date:
        """Return the day at `index`, 0 being the first; negative ones lie before the window."""
        return self.start + timedelta(days=index)


@dataclass(frozen=True)
class Model:
    """A model of the catalogue; `released` is a share of the window when >= 0, days before it when negative."""

    name: str
    provider: str
    family: str
    context_window: int  # never below 200,000: prompt and completion can reach 100,000 each
    input_usd: str  # per million tokens
    output_usd: str
    released: float
    weight: int  # of requests, among the models already released
    is_deprecated: bool = False


@dataclass(frozen=True)
class Endpoint:
    """A path of the API that answers with text."""

    path: str
    category: str
    is_streaming: bool
    weight: int


# Price levels and their ratio of output to input (3 to 8) are those of public price lists of 2024 and 2025.
MODELS = (
    Model("alder-2-large", "Alder AI", "alder-2", 200_000, "5.0000", "15.0000", -820, 3, is_deprecated=True),
    Model("corvid-base", "Corvid Labs", "corvid-1", 200_000, "0.5000", "1.5000", -700, 2, is_deprecated=True),
    Model("esker-small", "Esker", "esker-1", 256_000, "0.1000", "0.3000", -540, 8),
    Model("alder-3", "Alder AI", "alder-3", 200_000, "2.5000", "10.0000", -420, 14),
    Model("alder-3-mini", "Alder AI", "alder-3", 200_000, "0.1500", "0.6000", -400, 20),
    Model("brightwater-ballad", "Brightwater", "brightwater-3", 200_000, "3.0000", "15.0000", -330, 13),
    Model("dunlin-pro", "Dunlin", "dunlin-1", 1_000_000, "1.2500", "5.0000", -240, 8),
    Model("dunlin-flash", "Dunlin", "dunlin-1", 1_000_000, "0.0750", "0.3000", -200, 12),
    Model("corvid-reason", "Corvid Labs", "corvid-2", 256_000, "1.1000", "4.4000", 0.08, 5),
    Model("alder-4", "Alder AI", "alder-4", 1_000_000, "2.0000", "8.0000", 0.28, 9),
    Model("brightwater-epic", "Brightwater", "brightwater-4", 200_000, "15.0000", "75.0000", 0.39, 2),
    Model("dunlin-2-pro", "Dunlin", "dunlin-2", 2_000_000, "1.2500", "10.0000", 0.47, 6),
)

# Text endpoints only: every successful request has completion tokens, which an embedding would not.
ENDPOINTS = (
    Endpoint("/v1/chat/completions", "chat", True, 38),
    Endpoint("/v1/responses", "agent", True, 16),
    Endpoint("/v1/messages", "chat", True, 14),
    Endpoint("/v1/completions", "completion", False, 8),
    Endpoint("/v1/code/completions", "code", True, 10),
    Endpoint("/v1/summaries", "document", False, 6),
    Endpoint("/v1/extractions", "document", False, 5),
    Endpoint("/v1/translations", "document", False, 3),
)


@dataclass(frozen=True)
class Companies:
    """Columns of equal length, one value per company."""

    names: list[str]
    industries: list[str]
    countries: list[str]
    headcounts: Ints


def users_table(seed: int, window: Window, users: int) -> pa.Table:
    """Return `users` users in order of sign-up; industry, size and country are those of their company."""
    rng = child_stream(seed, USERS_STREAM)
    fakers = {locale: _faker(locale, seed) for locale, _ in COUNTRIES.values()}
    companies, company_of = _companies(rng, fakers, users)
    tier_of = _tiers(rng, companies.headcounts[company_of])
    signed_up = _sign_up_days(rng, tier_of, window.days)
    order = np.argsort(signed_up, kind="stable")
    company_of, tier_of, signed_up = company_of[order], tier_of[order], signed_up[order]
    bands = [_size_band(int(count)) for count in companies.headcounts]
    locales = [COUNTRIES[companies.countries[company]][0] for company in company_of]
    names = _full_names(rng, fakers, locales)
    return pa.table(
        {
            "user_id": pa.array(range(1, users + 1), pa.int32()),
            "full_name": names,
            "email": _emails(names, [companies.names[company] for company in company_of]),
            "company_name": [companies.names[company] for company in company_of],
            "industry": [companies.industries[company] for company in company_of],
            "company_size": [bands[company] for company in company_of],
            "country_code": [companies.countries[company] for company in company_of],
            "billing_tier": [TIERS[tier] for tier in tier_of],
            "signed_up_on": [window.day(int(day)) for day in signed_up],
        }
    )


def models_table(window: Window) -> pa.Table:
    """Return the catalogue in order of release; some models are released inside the window."""
    released = [int(m.released) if m.released < 0 else int(m.released * window.days) for m in MODELS]
    price = pa.decimal128(10, 4)
    return pa.table(
        {
            "model_id": pa.array(range(1, len(MODELS) + 1), pa.int32()),
            "model_name": [m.name for m in MODELS],
            "provider": [m.provider for m in MODELS],
            "family": [m.family for m in MODELS],
            "context_window": pa.array([m.context_window for m in MODELS], pa.int32()),
            "input_usd_per_mtok": pa.array([Decimal(m.input_usd) for m in MODELS], price),
            "output_usd_per_mtok": pa.array([Decimal(m.output_usd) for m in MODELS], price),
            "released_on": [window.day(day) for day in released],
            "is_deprecated": [m.is_deprecated for m in MODELS],
        }
    )


def endpoints_table() -> pa.Table:
    """Return the endpoints."""
    return pa.table(
        {
            "endpoint_id": pa.array(range(1, len(ENDPOINTS) + 1), pa.int32()),
            "path": [e.path for e in ENDPOINTS],
            "http_method": ["POST"] * len(ENDPOINTS),
            "category": [e.category for e in ENDPOINTS],
            "is_streaming": [e.is_streaming for e in ENDPOINTS],
        }
    )


def dates_table(window: Window) -> pa.Table:
    """Return one row per day of the window; weeks are ISO 8601 weeks, Monday is day 1."""
    days = [window.day(index) for index in range(window.days)]
    numbers = {
        "date_id": [d.year * 10_000 + d.month * 100 + d.day for d in days],
        "year": [d.year for d in days],
        "quarter": [(d.month + 2) // 3 for d in days],
        "month": [d.month for d in days],
        "week_of_year": [d.isocalendar().week for d in days],
        "day_of_month": [d.day for d in days],
        "day_of_week": [d.isoweekday() for d in days],
    }
    columns = {name: pa.array(values, pa.int32()) for name, values in numbers.items()} | {
        "full_date": pa.array(days, pa.date32()),
        "month_name": pa.array([MONTHS[d.month - 1] for d in days]),
        "day_name": pa.array([WEEKDAYS[d.weekday()] for d in days]),
        "is_weekend": pa.array([d.isoweekday() >= 6 for d in days]),
        "is_month_end": pa.array([(d + timedelta(days=1)).day == 1 for d in days]),
    }
    order = ("date_id", "full_date", "year", "quarter", "month", "month_name", "week_of_year", "day_of_month",
             "day_of_week", "day_name", "is_weekend", "is_month_end")  # fmt: skip
    return pa.table({name: columns[name] for name in order})


def _faker(locale: str, seed: int) -> Faker:
    faker = Faker(locale)
    faker.seed_instance(seed)
    return faker


def _companies(rng: np.random.Generator, fakers: dict[str, Faker], users: int) -> tuple[Companies, Ints]:
    """Return the companies and, for each user, the index of the user's company; every company has a user."""
    count = max(1, round(users * COMPANIES_PER_USER))
    headcounts = np.rint(HEADCOUNT_MEDIAN * np.exp(HEADCOUNT_SIGMA * rng.standard_normal(count)))
    seats = 1 + rng.multinomial(users - count, _shares(headcounts**SEATS_EXPONENT))
    codes = list(COUNTRIES)
    countries = [codes[i] for i in _picks(rng, [weight for _, weight in COUNTRIES.values()], count)]
    industries = [list(INDUSTRIES)[i] for i in _picks(rng, list(INDUSTRIES.values()), count)]
    names = _company_names(fakers, [COUNTRIES[code][0] for code in countries])
    headcounts = np.maximum(headcounts, seats).astype(np.int64)  # nobody has more accounts than people
    return Companies(names, industries, countries, headcounts), np.repeat(np.arange(count), seats)


def _company_names(fakers: dict[str, Faker], locales: list[str]) -> list[str]:
    """Return one name per locale given, all different."""
    taken: dict[str, None] = {}
    for locale in locales:
        name = fakers[locale].company()
        while name in taken:
            name = f"{fakers[locale].last_name()} {name}"
        taken[name] = None
    return list(taken)


def _tiers(rng: np.random.Generator, headcounts: Ints) -> Ints:
    """Return each user's tier index: exact shares of the users, the higher tiers mostly in the larger companies."""
    rank = np.argsort(np.log(headcounts) + TIER_NOISE * rng.standard_normal(len(headcounts)), kind="stable")
    bounds = np.rint(np.cumsum(TIER_SHARES) * len(headcounts)).astype(np.int64)
    tiers = np.empty(len(headcounts), dtype=np.int64)
    tiers[rank] = np.searchsorted(bounds[:-1], np.arange(len(headcounts)), side="right")
    return tiers


def _sign_up_days(rng: np.random.Generator, tiers: Ints, days: int) -> Ints:
    """Return each user's sign-up day relative to the window's first.

    Stratified by tier: in each, the same share signs up inside the window and evenly over it. Were it left to chance,
    the few enterprise users' average time in the window, and so their requests per user, would stray from 20 : 1.
    """
    signed_up = np.empty(len(tiers), dtype=np.int64)
    for tier in range(len(TIERS)):
        members = np.flatnonzero(tiers == tier)
        members = members[np.argsort(rng.random(len(members)), kind="stable")]
        new = int(len(members) * NEW_USER_SHARE)  # rounded down: somebody is there from the first day
        signed_up[members[:new]] = (_strata(rng, new) * days).astype(np.int64)
        signed_up[members[new:]] = (_strata(rng, len(members) - new) * HISTORY_DAYS).astype(np.int64) - HISTORY_DAYS
    return signed_up


def _strata(rng: np.random.Generator, count: int) -> Floats:
    """Return one uniform draw from each of `count` equal parts of [0, 1)."""
    return (np.arange(count) + rng.random(count)) / max(count, 1)


def _full_names(rng: np.random.Generator, fakers: dict[str, Faker], locales: list[str]) -> list[str]:
    """Return one name per user, from pools of first and last names of the user's locale."""
    pools = {
        locale: ([f.first_name() for _ in range(NAME_POOL)], [f.last_name() for _ in range(NAME_POOL)])
        for locale, f in fakers.items()
    }
    picks = rng.integers(0, NAME_POOL, size=(len(locales), 2)).tolist()
    return [f"{pools[locale][0][a]} {pools[locale][1][b]}" for locale, (a, b) in zip(locales, picks, strict=True)]


def _emails(names: list[str], companies: list[str]) -> list[str]:
    """Return one address per user, all different, in domains that exist for nobody (.example, RFC 2606)."""
    seen: Counter[str] = Counter()
    emails = []
    for name, company in zip(names, companies, strict=True):
        address = email_address(name, company)
        seen[address] += 1
        emails.append(email_address(name, company, seen[address]))
    return emails


def email_address(name: str, company: str, nth: int = 1) -> str:
    """Return the address of the `nth` person of that name at the company."""
    first, last = name.split(" ", 1)
    return f"{_slug(first)}.{_slug(last)}{nth if nth > 1 else ''}@{_slug(company, '-')}.example"


def _slug(text: str, joint: str = "") -> str:
    """Return `text` as lower-case ASCII letters and digits, its words joined by `joint`."""
    plain = unicodedata.normalize("NFKD", text.lower().replace("ß", "ss").replace("ł", "l"))
    words = "".join(c if c.isalnum() else " " for c in plain.encode("ascii", "ignore").decode())
    return joint.join(words.split())


def _size_band(headcount: int) -> str:
    return next((band for limit, band in SIZE_BANDS if headcount <= limit), LARGEST_BAND)


def _shares(weights: Floats | Ints) -> Floats:
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def _picks(rng: np.random.Generator, weights: list[int], size: int) -> list[int]:
    """Return `size` indexes drawn by weight."""
    chosen: list[int] = np.searchsorted(np.cumsum(_shares(np.array(weights)))[:-1], rng.random(size), "right").tolist()
    return chosen
