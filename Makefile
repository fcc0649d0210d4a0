# Tokenscope. `make` lists the targets; every recipe is a few lines or a script.
# Settings: ROWS, SEED, FROM, FILE, SQL, ROLE; libpq's variables (PGHOST, ...) to use a PostgreSQL of your own.
SHELL := /bin/bash
.DEFAULT_GOAL := help
-include .env
export
.NOTPARALLEL:

# A setting is a text, whoever gave it: make expands nothing in it (on the command line and in .env `$$` is one dollar),
# and a recipe reads it as "$$NAME" from its environment, so that no shell does either.
SETTINGS := ROWS SEED DATA GENERATED DAYS UNTIL TICK_ROWS FROM FILE EPOCH SOURCE ROLE SQL SELECT FULL DETACH SERVICE ADDRESS RUNS LANES \
	MINUTES TOKENSCOPE_DATA_DIR DBT_TARGET_PATH
GIVEN := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name))) \
	$(shell sed -nE 's/^([A-Za-z_][A-Za-z0-9_]*)=.*/\1/p' .env 2>/dev/null)
as_text = $(if $(findstring environment,$(origin $1)),$(value $1),$(subst $$$$,$$,$(value $1)))
unexport SETTINGS GIVEN as_text
$(foreach name,$(sort $(SETTINGS) $(GIVEN)),$(if $(filter-out undefined,$(origin $(name))),\
	$(eval override $(name) := $$(call as_text,$(name)))))

override ROWS := $(or $(ROWS),500000)
override SEED := $(or $(SEED),42)
override DAYS := $(or $(DAYS),1)
override LANES := $(or $(LANES),stable current)
override GENERATED := $(or $(GENERATED),$(or $(TOKENSCOPE_DATA_DIR),.data)/generated)
override DBT_TARGET_PATH := $(or $(DBT_TARGET_PATH),$(CURDIR)/dbt_project/target)
# The day a tick is to reach, until it has been built: after a kill the same command finishes it, and adds no more days.
TICK_GOAL := $(GENERATED).tick-goal

PY := .venv/bin/python
IN_WAREHOUSE := $(PY) -m warehouse exec --
# Leaves the start and end of a step in ops.pipeline_events; the loader does so itself.
RECORDED := $(PY) -m warehouse run
DBT_COLORS := DBT_USE_COLORS=$$([ -t 1 ] && echo true || echo false)
# Not .venv/bin/dbt: its first line names this clone's path, which may have a space or a quote. Python would remark that
# dbt imports its own main module.
DBT_PROGRAM := $(PY) -W ignore::RuntimeWarning:runpy -m dbt.cli.main
DBT := $(DBT_COLORS) $(IN_WAREHOUSE) $(DBT_PROGRAM)
DBT_OPTIONS := --project-dir dbt_project --profiles-dir dbt_project
# Unit tests check the code, not the data: `make test` runs them, a build of the warehouse need not.
# A selection that selects nothing is an error: nothing built and tested must not look like everything passed.
# One at a time in one database: it waits for others and says for whom. What it runs is under its lock.
ALONE := $(PY) -m warehouse alone
# `make -n` would run a recipe that says $(MAKE).
THIS_MAKE := $(MAKE) --no-print-directory
DBT_BUILD := $(DBT_COLORS) $(ALONE) dbt-build -- $(RECORDED) dbt-build --record-dbt "$$DBT_TARGET_PATH" -- $(DBT_PROGRAM) build $(DBT_OPTIONS) \
	--exclude-resource-type unit_test --warn-error-options '{"error": ["NoNodesForSelectionCriteria", "NothingToDo"]}'
# What is written in the clone is for its owner's eyes, as is the data folder.
PRIVATE := dbt_project/target dbt_project/logs frontend/dist
RUNTIME := .venv/.installed-runtime
DEV := .venv/.installed-dev

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Run
.PHONY: demo platform serve pipeline generate load import remove dbt-build tick forecast docs erd site-data site freshness summary psql stop
demo: platform pipeline forecast docs site summary ## Set up, run everything on 500K requests, show the result and serve it (DETACH=1: in the background)
	@$(PY) -m embedded serve $${DETACH:+--detach}

platform: ## Say what `make demo` runs on, and whether this machine is one of them
	@requirements/platform.sh

serve: $(RUNTIME) ## Serve what has been built at http://localhost:8080 without running the pipeline
	@$(PY) -m embedded serve $${DETACH:+--detach}

pipeline: generate load dbt-build ## Generate, load and model: ROWS=500000 SEED=42

.PHONY: _private
_private:
	@mkdir -p $(PRIVATE) && chmod go= $(PRIVATE)

generate: $(RUNTIME) _private ## Write the synthetic data set: ROWS= SEED=
	@[ -d "$$GENERATED" ] || mkdir -p -m 700 -- "$$GENERATED"
	@$(RECORDED) generate -- $(PY) generator/generate_data.py --rows "$$ROWS" --seed "$$SEED" --out "$$GENERATED"
	@rm -f -- "$$TICK_GOAL"

load: $(RUNTIME) ## Load the generated data set into raw_staging
	@$(PY) -m loader load -- "$$GENERATED"

import: $(RUNTIME) ## Load a real log: FROM=azure-llm FILE=path (FROM=burstgpt: EPOCH=2023-03-06T00:00:00Z, its time 0)
	@$(PY) -m loader import --from "$$FROM" $${EPOCH:+--epoch "$$EPOCH"} -- "$$FILE"

remove: $(RUNTIME) ## Take a source out of raw_staging again: SOURCE=synthetic, then dbt-build
	@$(PY) -m loader remove -- "$$SOURCE"

dbt-build: $(RUNTIME) _private ## Build and test all dbt models: SELECT=tag:core for a part, FULL=1 to build all anew
	@$(DBT_BUILD) $${SELECT:+--select "$$SELECT"} $${FULL:+--full-refresh}

tick: $(RUNTIME) _private ## Let DAYS=1 go by, or all UNTIL=2026-01-31: generate, load, build and test what they changed
	@$(ALONE) tick -- $(THIS_MAKE) _tick

.PHONY: _tick
_tick:
	@$(RECORDED) generate -- $(PY) generator/generate_data.py --continue "$$GENERATED" $${TICK_ROWS:+--rows "$$TICK_ROWS"} \
		$(if $(UNTIL),--until "$$UNTIL",--days "$$DAYS" --goal "$$TICK_GOAL")
	@$(PY) -m loader load -- "$$GENERATED"
	@DBT_TEST_SCOPE=changed $(DBT_BUILD)
	@rm -f -- "$$TICK_GOAL"

forecast: $(RUNTIME) ## Forecast totals and the largest segments into the schema forecast
	@$(RECORDED) forecast -- $(PY) -m forecaster batch

docs: $(RUNTIME) _private ## Build the dbt docs into one page: dbt_project/target/docs/index.html
	@$(DBT) docs generate --no-compile --static $(DBT_OPTIONS)
	@mkdir -p dbt_project/target/docs && gzip -9nc dbt_project/target/static_index.html > dbt_project/target/docs/index.html.gz
	@mv dbt_project/target/static_index.html dbt_project/target/docs/index.html

erd: $(RUNTIME) ## Draw the models and their tested references: dbt_project/target/docs/erd.mmd (Mermaid)
	@mkdir -p dbt_project/target/docs
	@$(PY) dbt_project/erd.py dbt_project/target/manifest.json > dbt_project/target/docs/erd.mmd

site-data: $(RUNTIME) ## Export what the site shows: dashboards, models, tests, distributions
	@$(PY) -m metabase export
	@$(PY) -m frontend.export

site: site-data _private ## Build the site into frontend/dist
	@frontend/npm.sh run build

freshness: $(RUNTIME) ## Warn when the last load is a day old, fail when it is two
	@$(DBT) source freshness $(DBT_OPTIONS)

summary: $(RUNTIME) ## Print what is in the warehouse
	@$(PY) -m warehouse summary

psql: $(RUNTIME) ## Open psql, or run SQL='...' (ROLE=portfolio_reader to read as the dashboards do)
	@$(PY) -m warehouse psql $${ROLE:+-U "$$ROLE"} $${SQL:+-v ON_ERROR_STOP=1 -c "$$SQL"}

stop: $(RUNTIME) ## Stop everything that runs in the background
	@$(PY) -m embedded stop

##@ Full stack
.PHONY: up up-dev down logs ps secrets metabase-password pins backup restore upgrade-check prune test-stack
up: ## Build and start the full stack with Docker, wait until it is healthy: DATA=none for no demo data
	@stack/up.sh

up-dev: ## Start pgAdmin and SonarQube beside it, on this host's own address only
	@stack/up-dev.sh

down: ## Stop the full stack; its data stays
	@docker compose --profile dev down --remove-orphans

logs: ## Follow what the services print: SERVICE=pipeline for one
	@docker compose logs --follow --tail 200 $${SERVICE:+"$$SERVICE"}

ps: ## List the services and their health
	@docker compose ps --all

secrets: ## Make the secrets that are not there yet
	@stack/secrets.sh

metabase-password: ## Give Metabase's admin the password of secrets/metabase_admin_password
	@stack/metabase-password.sh

pins: ## Ask the registries for the digests behind the image tags, rewrite the pins, show the difference (CHECK=1: only show)
	@stack/pins.sh $(if $(CHECK),--check)

backup: ## Back up to backups/ what holds the data: the stack where it is up, else the embedded PostgreSQL
	@stack/data.sh backup

restore: ## Put a backup in place of the data it is of, once it is proven whole: FROM=backups/...
	@stack/data.sh restore "$$FROM"

upgrade-check: ## Build the images aside and say whether `make up` is a safe step from what runs now
	@stack/upgrade-check.sh

prune: ## Free disk: remove replaced images of this project and the engine's build cache
	@stack/prune.sh

test-stack: $(DEV) ## Prove the full stack on two real Docker engines, without an image registry (root): LANES=current for one
	@for lane in $$LANES; do \
		STACK_LANE=$$lane $(PY) -m pytest tests/stack -o timeout=3600 || exit; done

##@ Develop
.PHONY: setup test test-slow fuzz test-browser lighthouse lint dashboards-lint metabase-live format bench lock clean
setup: $(DEV) ## Install the tools of test and lint as well

test: $(DEV) ## Run the default tests (under 5 minutes on 2 cores)
	@$(PY) -m pytest -n auto --maxprocesses 4 --dist loadfile

test-slow: $(DEV) ## Run what takes longer: other userlands, odd paths, own data from file to page, property tests of the readers
	@$(PY) -m pytest --slow -n auto --maxprocesses 4 --dist loadfile -o timeout=1800

fuzz: $(DEV) ## Throw hostile bytes at every reader of files: MINUTES=10
	@$(PY) -m tests.fuzz --minutes "$${MINUTES:-10}"

test-browser: $(DEV) ## Drive a real browser through the proxy (needs Debian's chromium)
	@$(PY) -m pytest tests/browser -o timeout=900

lighthouse: $(RUNTIME) ## Measure every page of the built site with Lighthouse, fail below 95 (needs Debian's chromium)
	@frontend/npm.sh --silent run lighthouse $${ADDRESS:+-- "$$ADDRESS"}

lint: $(DEV) ## Check style, types, SQL and the site's sources
	@.venv/bin/ruff check . && .venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/sqlfluff lint --disable-progress-bar dbt_project
	@frontend/npm.sh --silent run lint

dashboards-lint: $(RUNTIME) ## Check the dashboards: definitions, SQL, columns, plans; RUNS=20 for budgets, too
	@$(PY) -m metabase lint $${RUNS:+--runs "$$RUNS"}

metabase-live: $(DEV) ## Run the dashboards' scenarios on a real Metabase: METABASE_URL= METABASE_LIVE_WAREHOUSE=
	@$(PY) -m pytest tests/metabase/test_scenarios.py -k live -rs

format: $(DEV) ## Rewrite Python in the house format
	@.venv/bin/ruff check --fix . && .venv/bin/ruff format .

bench: $(DEV) ## Print the figures of benchmarks/README.md: ROWS=500000,10000000
	@$(IN_WAREHOUSE) $(PY) -m benchmarks --rows "$$ROWS"

lock: $(DEV) ## Compile the dependency groups to requirements/*.txt
	@requirements/lock.sh --upgrade

clean: ## Remove the environment and all data of this clone
	@[ ! -x $(PY) ] || $(PY) -m embedded stop
	rm -rf .venv .data dbt_project/target dbt_project/logs

$(RUNTIME): requirements/runtime.txt
	@requirements/install.sh runtime

$(DEV): requirements/dev.txt
	@requirements/install.sh dev
	@touch $(RUNTIME)
