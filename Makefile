# Copyright (c) 2026 WebOps
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Everything is made inside the checkout (.venv and .cache). What has to be installed on the system is named before it is.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo demo-down diagnose check test stage lint sanity unit bench build lab-logs setup clean

# The collections and settings of the checkout, whatever the caller's own are.
unexport ANSIBLE_COLLECTIONS_PATH ANSIBLE_CONFIG
export PYTHONDONTWRITEBYTECODE := 1

VENV := .venv/bin
HOSTS ?= 8
ARGS ?=

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z -]+:.*## / { printf "make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Break a small fleet in containers, show it with curl, and diagnose it over SSH
	@scripts/setup run
	@scripts/demo up

demo-down: ## Remove the demo's hosts, and whatever else is left of the lab
	@scripts/demo down

diagnose: ## Diagnose your own hosts: make diagnose INVENTORY=hosts.yml [ARGS="--limit web1"]
	@test -n "$(INVENTORY)" || { echo 'Which hosts? make diagnose INVENTORY=hosts.yml' >&2; exit 2; }
	@scripts/setup run
	@$(VENV)/ansible-playbook playbooks/diagnose.yml --inventory "$(INVENTORY)" $(ARGS)

check: ## Lint, sanity and unit tests: about three minutes once set up
	@scripts/setup test
	@$(VENV)/python scripts/stages.py check

test: ## The checks, every supported ansible-core, every cause on a real host, molecule: about 40 minutes
	@scripts/setup test
	@$(VENV)/python scripts/stages.py test

stage: ## Some stages of make test: make stage S="unit docs"; without S, their names
	@scripts/setup test
	@$(VENV)/python scripts/stages.py $(S)

lint sanity unit: ## One stage of make test
	@scripts/setup test
	@$(VENV)/python scripts/stages.py $@

bench: ## Time diagnose against a ping and against stock modules: make bench [HOSTS=8]
	@scripts/setup run
	@$(VENV)/python tests/bench/diagnose.py --hosts $(HOSTS) $(ARGS)
	@$(VENV)/python tests/bench/judge.py

build: ## Build the collection's artifact in .cache/dist
	@scripts/setup run
	@scripts/build

lab-logs: ## Show the end of the log of the container engine, if the lab started it
	@tail -n 60 .cache/lab/dockerd.log

setup: ## Make .venv and .cache for all of the above
	@scripts/setup test

clean: demo-down ## Remove the lab's hosts, .venv and .cache
	rm -rf .venv .cache tests/output collections
