# The usual commands of the development, in short. Each one is a tox environment: CONTRIBUTING.rst describes them.
TOX = .venv/bin/tox

.PHONY: help test test-fast lint docs demo package

help:
	@echo "make test       run all environments"
	@echo "make test-fast  run the unit tests on SQLite in memory"
	@echo "make lint       check the style, the types and the layers"
	@echo "make docs       build the documentation without the network"
	@echo "make demo       run the example shop with a local Messente; Ctrl-C stops it"
	@echo "make package    build the wheel, and use it in a new project"

$(TOX):
	python3 -m venv .venv
	.venv/bin/python -m pip install --quiet tox tox-uv

test: $(TOX)
	$(TOX)

test-fast: $(TOX)
	$(TOX) -e unit

lint: $(TOX)
	$(TOX) -e lint,types,imports

docs: $(TOX)
	$(TOX) -e docs

demo: $(TOX)
	$(TOX) -e demo

package: $(TOX)
	$(TOX) -e package
