# The commands of a newcomer. What they do stands in .ci/install.sh, tests/services and `python -m dispatcher --help`.
# Always `.venv/bin/python -m …`: scripts in .venv/bin break in folders with spaces.

export PYTHONUTF8 := 1
export PYTHONNOUSERSITE := 1
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE
PY := .venv/bin/python
PYTEST := $(PY) -m tests.services pytest -n 2 --dist worksteal

.PHONY: help demo serve test test-long screenshots chaos check bench install install-dev
.DEFAULT_GOAL := help

help: ## 列出这些命令
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | while IFS='	' read -r name what; do printf 'make %-11s %s\n' "$$name" "$$what"; done

demo: install ## 在本机把一条红色暴雨预警发给 3,200 名信息员（ARGS=--serve 让控制台开着，另有 --json 等）
	@$(PY) -m dispatcher demo $(ARGS)

serve: install ## 启动服务与控制台：http://127.0.0.1:8080
	@$(PY) -m dispatcher serve $(ARGS)

test: install-dev ## 每次提交前的测试，含真实的 PostgreSQL、RabbitMQ 与浏览器
	@echo '测试约需 5–10 分钟（2 核，安装除外）；耗时长的另见 make test-long' >&2
	@$(PYTEST) -m 'not long' $(ARGS)

test-long: install-dev ## 其余的测试：断电、容器、大语料、每一页与每个角色
	@echo '长测试约需 25–45 分钟（2 核，安装除外）' >&2
	@$(PYTEST) -m long $(ARGS)

screenshots: install-dev ## 控制台每一页的截图，三种尺寸、日间与夜间，存入 var/screenshots/（ARGS='--only front' 等）
	@$(PY) -m tests.browser.screenshots $(ARGS)

check: install-dev ## 静态检查：ruff、mypy --strict、导入约定、无用依赖
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy --strict dispatcher channels
	@$(PY) -c 'import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())'
	@$(PY) -m deptry .

chaos: install-dev ## 混沌演练：十万行发送中 90 次破坏，约 25 分钟（ARGS='--seed 1 --json' 等）
	@$(PY) -m tests.crashes $(ARGS)

bench: install-dev ## 性能基准 P1–P13、C1 与 V1，约 20–35 分钟（ARGS='--only P1,P4 --json' 等）
	@MINGLUO_SERVICES_DURABLE=1 $(PY) -m tests.services dispatcher bench $(ARGS)

install: ## 只建 .venv（其余命令需要时会自己建）
	@sh .ci/install.sh run

install-dev:
	@sh .ci/install.sh dev
