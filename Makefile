# The doors to the project; CMake does the work. `make help` lists them.
.DEFAULT_GOAL := build
.PHONY: build test demo bench fuzz format docs install clean setup help
.NOTPARALLEL:

build: setup ## the program: build/novaprobe
	@cmake --preset release --log-level=WARNING >/dev/null
	@cmake --build --preset release
	@echo "novaprobe is build/novaprobe; try make demo"

test: setup ## every test and check; the last line sums them up
	@tools/test

demo: build ## both suites against the built-in reference peers
	@build/novaprobe demo $(DEMO); status=$$?; \
	echo "The reports: reports/latest/report.html (the server), reports/latest/device/report.html (the device)"; exit $$status

bench: setup ## the speed of the codec and the broker beside that of others
	@cmake --preset bench --log-level=WARNING >/dev/null
	@cmake --build --preset bench
	@build/bench/bench/novabench
	@build/bench/bench/brokerbench

fuzz:
	@echo "make fuzz: the fuzz targets are not in this version" >&2
	@exit 1

format: setup ## lay out all C as .clang-format says
	@tests/scripts/house-format.sh --fix

docs: setup ## write docs/messages.md and the messages' schema from message.def
	@cmake --preset debug --log-level=WARNING >/dev/null
	@cmake --build --preset debug --target message_reference
	@build/debug/tests/message_reference > docs/messages.md
	@build/debug/tests/message_reference schema > specs/schemas/messages.schema.json

install: build ## the program and libnovacodec; PREFIX=/usr/local
	@cmake --install build --prefix $(or $(PREFIX),/usr/local)

clean: ## remove what was built
	@rm -rf build

setup:
	@tools/setup

help:
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-8s %s\n", $$1, $$2}' Makefile
