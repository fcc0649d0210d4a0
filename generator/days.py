"""Move the population on by one day, and say how many requests that day brings and who sends them. Pure.

A day's changes are drawn from streams of the seed and the day alone, and applied to the tables as they stood the
evening before; nothing else is carried from day to day. Tables are those of entities.py, sorted by id without gaps.
"""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from generator.distributions import TIER_SHARES, TIER_WEIGHTS, TIERS, WEEKEND_FACTOR, Categorical, child_stream
from generator.entities import COUNTRIES, ENDPOINTS, MODELS, NEW_USER_SHARE, email_address
from generator.manifest import Arguments
from generator.traffic import EPOCH, Population, Slots

TICK_STREAM = 4  # the child of the seed for one day, with the day (counted from 1970) and one of the three below
CHANGES, ALLOCATION, BLOCKS = 0, 1, 2
SILENCE_STREAM = 5

# --- Numbers of our own choosing; shares are of the users, per day ---------------------------------------------------
DAILY_GROWTH = 1.001  # of the requests: 44 % a year
TIER_CHANGES, COMPANY_CHANGES, COUNTRY_CHANGES = 0.0010, 0.0005, 0.0003
UPGRADE_SHARE = 0.6  # of the tier changes; the others are downgrades
SILENCED = 0.0010  # stop sending for good: 30 % a year
PRICE_CHANGE, DEPRECATION = 1 / 14, 1 / 60  # chance a day that one model has it
PRICE_FACTORS = ("0.7", "0.8", "0.9", "1.1")  # prices mostly fall
MODELS_KEPT = 5  # fewer are never left on offer

NEW_USER_TIER = Categorical(values=tuple(range(len(TIERS))), probabilities=TIER_SHARES)
Flags = NDArray[np.bool_]
Row = dict[str, Any]


def day_stream(seed: int, day: date, *purpose: int) -> np.random.Generator:
    """Return the stream of one purpose of one day."""
    return child_stream(seed, TICK_STREAM, (day - EPOCH).days, *purpose)


def request_count(arguments: Arguments, day: date, sequence: int) -> int:
    """Return the requests of a day: those of such a weekday in the first set, and a little more each day since."""
    start = date.fromisoformat(arguments.start)
    weights = sum(_weekday_factor(start + timedelta(days=i)) for i in range(arguments.days))
    return max(1, round(arguments.rows * _weekday_factor(day) / weights * DAILY_GROWTH**sequence))


def silent_users(seed: int, users: pa.Table, first_tick: date, day: date) -> Flags:
    """Return for each user whether it has stopped sending by `day`.

    Each user has one draw, found by its id, that says after how many days; days before the first tick do not count.
    User 1 never stops, so that somebody is left.
    """
    draws = child_stream(seed, SILENCE_STREAM).random(users.num_rows)
    began = np.maximum(users["signed_up_on"].to_numpy(), np.datetime64(first_tick, "D"))
    days = (np.datetime64(day, "D") - began).astype(np.int64)
    silent: Flags = draws > (1 - SILENCED) ** days
    silent[0] = False
    return silent


def sign_ups_a_day(arguments: Arguments) -> float:
    """Return how many users sign up on an average day: as many as inside the first set's window."""
    return arguments.users * NEW_USER_SHARE / arguments.days


def changed_users(rng: np.random.Generator, users: pa.Table, silent: Flags, day: date, sign_ups: float) -> pa.Table:
    """Return the users that changed tier, company or country on `day`, then the new ones, as full rows.

    `sign_ups` is the mean number of new users. One change per user and day; silent users do not change.
    """
    taken = set(users["email"].to_pylist())
    fate = np.where(silent, 1.0, rng.random(users.num_rows))
    bounds = np.cumsum([TIER_CHANGES, COMPANY_CHANGES, COUNTRY_CHANGES])
    rows = []
    for index in np.flatnonzero(fate < bounds[-1]):
        row = _row(users, int(index))
        change = (_with_other_tier, _with_other_company, _with_other_country)[
            int(np.searchsorted(bounds, fate[index], side="right"))
        ]
        changed = change(rng, row, users, taken)
        if changed != row:
            rows.append(changed)
    count = int(sign_ups + rng.random())
    rows += [_new_user(rng, users, users.num_rows + 1 + i, day, taken) for i in range(count)]
    return pa.Table.from_pylist(rows, schema=users.schema)


def changed_models(rng: np.random.Generator, models: pa.Table) -> pa.Table:
    """Return the models with a new price and those taken off offer, as full rows: mostly none."""
    offered = [row for row in models.to_pylist() if not row["is_deprecated"]]
    rows = []
    is_repriced, is_deprecated = rng.random(2) < (PRICE_CHANGE, DEPRECATION)
    pick, factor = int(rng.integers(len(offered))), Decimal(PRICE_FACTORS[rng.integers(len(PRICE_FACTORS))])
    if is_repriced:
        row = offered.pop(pick)
        rows.append(row | {name: _price(row[name], factor) for name in ("input_usd_per_mtok", "output_usd_per_mtok")})
    if is_deprecated and len(offered) >= MODELS_KEPT:
        rows.append(offered[0] | {"is_deprecated": True})  # the oldest
    return pa.Table.from_pylist(sorted(rows, key=lambda row: row["model_id"]), schema=models.schema)


def updated(table: pa.Table, changed: pa.Table, key: str) -> pa.Table:
    """Return `table` with the rows of `changed` in the place of those with the same id, or behind the last."""
    ids = changed[key].to_numpy()
    index = np.arange(max([table.num_rows, *ids]))
    index[ids - 1] = table.num_rows + np.arange(len(ids))
    return pa.concat_tables([table, changed]).take(index).combine_chunks()


def senders(users: pa.Table, models: pa.Table, silent: Flags) -> Population:
    """Return who may send what to where on a day: users by tier unless silent, models by weight while on offer."""
    weight_of = dict(zip(TIERS, TIER_WEIGHTS, strict=True))
    user_weights = np.array([weight_of[tier] for tier in users["billing_tier"].to_pylist()])
    model_weights = np.array([model.weight for model in MODELS])
    is_offered = ~np.array(models["is_deprecated"].to_pylist())
    return Population(
        users=_slots(np.where(silent, 0, user_weights)),
        models=_slots(np.where(is_offered, model_weights, 0)),
        endpoints=_slots(np.array([endpoint.weight for endpoint in ENDPOINTS])),
    )


def _weekday_factor(day: date) -> float:
    return WEEKEND_FACTOR if day.isoweekday() >= 6 else 1.0


def _with_other_tier(rng: np.random.Generator, row: Row, users: pa.Table, taken: set[str]) -> Row:
    tier = TIERS.index(row["billing_tier"])
    step = 1 if rng.random() < UPGRADE_SHARE else -1
    if not 0 <= tier + step < len(TIERS):
        step = -step
    return row | {"billing_tier": TIERS[tier + step]}


def _with_other_company(rng: np.random.Generator, row: Row, users: pa.Table, taken: set[str]) -> Row:
    """Return the user at the company of another user drawn at random; the address moves as well."""
    employer = _company(_any_user(rng, users))
    if employer["company_name"] == row["company_name"]:
        return row
    return row | employer | {"email": _free_address(row["full_name"], employer["company_name"], taken)}


def _with_other_country(rng: np.random.Generator, row: Row, users: pa.Table, taken: set[str]) -> Row:
    others = [code for code in COUNTRIES if code != row["country_code"]]
    return row | {"country_code": others[int(rng.integers(len(others)))]}


def _new_user(rng: np.random.Generator, users: pa.Table, user_id: int, day: date, taken: set[str]) -> Row:
    """Return a user at an existing company, the larger the likelier, whose names others of that country bear."""
    colleague = _any_user(rng, users)
    compatriots = users.filter(pc.equal(users["country_code"], colleague["country_code"]))
    first = _any_user(rng, compatriots)["full_name"].split(" ", 1)[0]
    last = _any_user(rng, compatriots)["full_name"].split(" ", 1)[1]
    name = f"{first} {last}"
    return {
        "user_id": user_id,
        "full_name": name,
        "email": _free_address(name, colleague["company_name"], taken),
        **_company(colleague),
        "country_code": colleague["country_code"],
        "billing_tier": TIERS[int(NEW_USER_TIER.sample(rng, 1)[0])],
        "signed_up_on": day,
    }


def _any_user(rng: np.random.Generator, users: pa.Table) -> Row:
    return _row(users, int(rng.integers(users.num_rows)))


def _row(table: pa.Table, index: int) -> Row:
    row: Row = table.slice(index, 1).to_pylist()[0]
    return row


def _company(user: Row) -> Row:
    return {name: user[name] for name in ("company_name", "industry", "company_size")}


def _free_address(name: str, company: str, taken: set[str]) -> str:
    """Return the first address that nobody has, and take it."""
    nth = 1
    while (address := email_address(name, company, nth)) in taken:
        nth += 1
    taken.add(address)
    return address


def _price(price: Decimal, factor: Decimal) -> Decimal:
    return max((price * factor).quantize(Decimal("0.0001")), Decimal("0.0001"))


def _slots(weights: NDArray[np.int64]) -> Slots:
    return Slots(ids=np.repeat(np.arange(1, len(weights) + 1), weights), eligible=np.array([weights.sum()]))
